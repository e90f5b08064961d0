//! What an LDAP message says (RFC 4511, 4): its operation, and of each what rules and logs ask for.

use super::ber::{BOOLEAN, ENUMERATED, Element, INTEGER, OCTETS, Reader, SEQUENCE};

/// Operations, by their numbers.
pub mod operation {
    pub const BIND_REQUEST: u8 = 0;
    pub const BIND_RESPONSE: u8 = 1;
    pub const UNBIND_REQUEST: u8 = 2;
    pub const SEARCH_REQUEST: u8 = 3;
    pub const SEARCH_RESULT_ENTRY: u8 = 4;
    pub const SEARCH_RESULT_DONE: u8 = 5;
    pub const MODIFY_REQUEST: u8 = 6;
    pub const MODIFY_RESPONSE: u8 = 7;
    pub const ADD_REQUEST: u8 = 8;
    pub const ADD_RESPONSE: u8 = 9;
    pub const DEL_REQUEST: u8 = 10;
    pub const DEL_RESPONSE: u8 = 11;
    pub const MOD_DN_REQUEST: u8 = 12;
    pub const MOD_DN_RESPONSE: u8 = 13;
    pub const COMPARE_REQUEST: u8 = 14;
    pub const COMPARE_RESPONSE: u8 = 15;
    pub const ABANDON_REQUEST: u8 = 16;
    pub const SEARCH_RESULT_REFERENCE: u8 = 19;
    pub const EXTENDED_REQUEST: u8 = 23;
    pub const EXTENDED_RESPONSE: u8 = 24;
    pub const INTERMEDIATE_RESPONSE: u8 = 25;
}

use operation::*;

/// Names for eve.json.
pub fn name(operation: u8) -> &'static str {
    match operation {
        BIND_REQUEST => "bind_request",
        BIND_RESPONSE => "bind_response",
        UNBIND_REQUEST => "unbind_request",
        SEARCH_REQUEST => "search_request",
        SEARCH_RESULT_ENTRY => "search_result_entry",
        SEARCH_RESULT_DONE => "search_result_done",
        MODIFY_REQUEST => "modify_request",
        MODIFY_RESPONSE => "modify_response",
        ADD_REQUEST => "add_request",
        ADD_RESPONSE => "add_response",
        DEL_REQUEST => "del_request",
        DEL_RESPONSE => "del_response",
        MOD_DN_REQUEST => "mod_dn_request",
        MOD_DN_RESPONSE => "mod_dn_response",
        COMPARE_REQUEST => "compare_request",
        COMPARE_RESPONSE => "compare_response",
        ABANDON_REQUEST => "abandon_request",
        SEARCH_RESULT_REFERENCE => "search_result_reference",
        EXTENDED_REQUEST => "extended_request",
        EXTENDED_RESPONSE => "extended_response",
        INTERMEDIATE_RESPONSE => "intermediate_response",
        _ => "unknown",
    }
}

/// The operation that a tag stands for: of the application class, each in its own form.
pub fn of_tag(tag: u8) -> Option<u8> {
    match tag {
        0x42 | 0x4a | 0x50 => Some(tag - 0x40),
        0x60..=0x79 if !matches!(tag, 0x62 | 0x6a | 0x70..=0x72 | 0x74..=0x76) => Some(tag - 0x60),
        _ => None,
    }
}

pub fn is_request(operation: u8) -> bool {
    matches!(
        operation,
        BIND_REQUEST | UNBIND_REQUEST | SEARCH_REQUEST | MODIFY_REQUEST | ADD_REQUEST | DEL_REQUEST
    ) || matches!(operation, MOD_DN_REQUEST | COMPARE_REQUEST | ABANDON_REQUEST | EXTENDED_REQUEST)
}

/// Whether nothing answers it.
pub fn is_unanswered(operation: u8) -> bool {
    matches!(operation, UNBIND_REQUEST | ABANDON_REQUEST)
}

/// Whether more answers may follow it.
pub fn is_preliminary(operation: u8) -> bool {
    matches!(operation, SEARCH_RESULT_ENTRY | SEARCH_RESULT_REFERENCE | INTERMEDIATE_RESPONSE)
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub id: u32,
    pub operation: u8,
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Of the whole message.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut fields = Reader::new(Reader::new(bytes).expect(SEQUENCE)?);
        let id = fields.number(INTEGER)?;
        let Element { tag, content } = fields.next()?;
        Some(Message { id, operation: of_tag(tag)?, body: content })
    }

    /// The entry that a request is about.
    pub fn request_dn(&self) -> Option<&'a [u8]> {
        let mut fields = Reader::new(self.body);
        match self.operation {
            DEL_REQUEST => Some(self.body),
            BIND_REQUEST => {
                fields.number(INTEGER)?;
                fields.expect(OCTETS)
            }
            SEARCH_REQUEST | MODIFY_REQUEST | ADD_REQUEST | MOD_DN_REQUEST | COMPARE_REQUEST => {
                fields.expect(OCTETS)
            }
            _ => None,
        }
    }

    /// The object identifier of an extended request.
    pub fn extended_name(&self) -> Option<&'a [u8]> {
        (self.operation == EXTENDED_REQUEST).then(|| Reader::new(self.body).expect(0x80)).flatten()
    }

    /// The attributes that it names, each by its type. `None` when it is not what its operation says.
    pub fn attributes(&self, found: impl FnMut(&'a [u8])) -> Option<()> {
        let mut fields = Reader::new(self.body);
        match self.operation {
            SEARCH_REQUEST => {
                fields.expect(OCTETS)?;
                // Scope, aliases, limits, whether types alone are wanted, the filter.
                for _ in 0..6 {
                    fields.next()?;
                }
                let selected = Reader::new(fields.expect(SEQUENCE)?);
                selected
                    .filter(|element| element.tag == OCTETS)
                    .map(|element| element.content)
                    .for_each(found);
            }
            ADD_REQUEST | SEARCH_RESULT_ENTRY => {
                fields.expect(OCTETS)?;
                let attributes = Reader::new(fields.expect(SEQUENCE)?);
                attributes
                    .filter_map(|attribute| Reader::new(attribute.content).expect(OCTETS))
                    .for_each(found);
            }
            MODIFY_REQUEST => {
                fields.expect(OCTETS)?;
                let changes = Reader::new(fields.expect(SEQUENCE)?);
                let of_change = |change: Element<'a>| {
                    let mut change = Reader::new(change.content);
                    change.number(ENUMERATED)?;
                    Reader::new(change.expect(SEQUENCE)?).expect(OCTETS)
                };
                changes.filter_map(of_change).for_each(found);
            }
            COMPARE_REQUEST => {
                fields.expect(OCTETS)?;
                Reader::new(fields.expect(SEQUENCE)?).expect(OCTETS).into_iter().for_each(found);
            }
            _ => {}
        }
        Some(())
    }

    /// Of a response that has one: its code, its entry and its message.
    pub fn result(&self) -> Option<(u32, &'a [u8], &'a [u8])> {
        let has_one = !is_request(self.operation) && !is_preliminary(self.operation);
        let mut fields = Reader::new(self.body);
        let code = has_one.then(|| fields.number(ENUMERATED)).flatten()?;
        Some((code, fields.expect(OCTETS)?, fields.expect(OCTETS)?))
    }

    /// The entry of a search's result.
    pub fn entry(&self) -> Option<&'a [u8]> {
        (self.operation == SEARCH_RESULT_ENTRY).then(|| Reader::new(self.body).expect(OCTETS)).flatten()
    }

    /// What a search asks: its scope, limits and whether only types are wanted.
    pub fn search(&self) -> Option<Search> {
        let mut fields = Reader::new(self.body);
        fields.expect(OCTETS)?;
        Some(Search {
            scope: fields.number(ENUMERATED)?,
            deref_aliases: fields.number(ENUMERATED)?,
            size_limit: fields.number(INTEGER)?,
            time_limit: fields.number(INTEGER)?,
            types_only: fields.expect(BOOLEAN)? != [0],
        })
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Search {
    pub scope: u32,
    pub deref_aliases: u32,
    pub size_limit: u32,
    pub time_limit: u32,
    pub types_only: bool,
}

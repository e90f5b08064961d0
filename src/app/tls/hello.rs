//! The two hellos (RFC 8446, sections 4.1.2 and 4.1.3; those of older versions are alike), as slices of the message.

use super::reader::{Reader, numbers};
use super::version::{self, TLS13, is_grease};

/// Numbers of extensions (IANA, TLS ExtensionType Values).
pub(in crate::app) mod extension {
    pub(in crate::app) const SERVER_NAME: u16 = 0;
    pub(in crate::app) const GROUPS: u16 = 10;
    pub(in crate::app) const POINT_FORMATS: u16 = 11;
    pub(in crate::app) const SIGNATURES: u16 = 13;
    pub(in crate::app) const HEARTBEAT: u16 = 15;
    pub(in crate::app) const ALPN: u16 = 16;
    pub(in crate::app) const VERSIONS: u16 = 43;
}

/// Extensions in their order. What is cut off or malformed ends them.
#[derive(Copy, Clone, Debug)]
pub(in crate::app) struct Extensions<'a>(Reader<'a>);

impl<'a> Extensions<'a> {
    fn of(mut rest: Reader<'a>) -> Extensions<'a> {
        let all = rest.vec16().unwrap_or_else(|| rest.0.get(2..).unwrap_or_default());
        Extensions(Reader(all))
    }

    pub(in crate::app) fn get(self, id: u16) -> Option<&'a [u8]> {
        let mut each = self;
        each.find(|(found, _)| *found == id).map(|(_, data)| data)
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        Some((self.0.u16()?, self.0.vec16()?))
    }
}

#[derive(Copy, Clone, Debug)]
pub(in crate::app) struct ClientHello<'a> {
    pub(in crate::app) version: u16,
    pub(in crate::app) random: &'a [u8],
    pub(in crate::app) session: &'a [u8],
    pub(in crate::app) ciphers: &'a [u8],
    pub(in crate::app) extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    pub(in crate::app) fn read(body: &'a [u8]) -> Option<ClientHello<'a>> {
        let mut rest = Reader(body);
        let (version, random) = (rest.u16()?, rest.take(32)?);
        let (session, ciphers) = (rest.vec8()?, rest.vec16()?);
        rest.vec8()?;
        Some(ClientHello { version, random, session, ciphers, extensions: Extensions::of(rest) })
    }

    /// The highest version that is offered, by the list that replaced the field.
    pub(in crate::app) fn highest_version(&self) -> u16 {
        let list = self.extensions.get(extension::VERSIONS).and_then(|data| Reader(data).vec8());
        let offered = numbers(list.unwrap_or_default()).filter(|number| !is_grease(*number));
        // A draft is as good as the version it became, and less than it.
        let rank = |number: &u16| match version::is_draft(*number) {
            true => u32::from(TLS13) * 2 - 1,
            false => u32::from(*number) * 2,
        };
        offered.max_by_key(rank).unwrap_or(self.version)
    }

    pub(in crate::app) fn protocols(&self) -> Protocols<'a> {
        Protocols::of(self.extensions)
    }
}

#[derive(Copy, Clone, Debug)]
pub(in crate::app) struct ServerHello<'a> {
    pub(in crate::app) version: u16,
    pub(in crate::app) random: &'a [u8],
    pub(in crate::app) session: &'a [u8],
    pub(in crate::app) cipher: u16,
    pub(in crate::app) extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    pub(in crate::app) fn read(body: &'a [u8]) -> Option<ServerHello<'a>> {
        let mut rest = Reader(body);
        let (version, random) = (rest.u16()?, rest.take(32)?);
        // Drafts before 22 have neither session nor compression.
        let old_draft = version::is_draft(version);
        let session = if old_draft { &[] } else { rest.vec8()? };
        let cipher = rest.u16()?;
        if !old_draft {
            rest.u8()?;
        }
        Some(ServerHello { version, random, session, cipher, extensions: Extensions::of(rest) })
    }

    /// The version that the session uses.
    pub(in crate::app) fn chosen_version(&self) -> u16 {
        let chosen = self.extensions.get(extension::VERSIONS).and_then(|data| Reader(data).u16());
        chosen.unwrap_or(self.version)
    }

    pub(in crate::app) fn protocols(&self) -> Protocols<'a> {
        Protocols::of(self.extensions)
    }
}

/// Names of application protocols (RFC 7301).
#[derive(Copy, Clone, Debug)]
pub(in crate::app) struct Protocols<'a>(Reader<'a>);

impl<'a> Protocols<'a> {
    fn of(extensions: Extensions<'a>) -> Protocols<'a> {
        let list = extensions.get(extension::ALPN).and_then(|data| Reader(data).vec16());
        Protocols(Reader(list.unwrap_or_default()))
    }
}

impl<'a> Iterator for Protocols<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.vec8()
    }
}

/// What a client asks for by name (RFC 6066, section 3).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::app) struct ServerName<'a> {
    pub(in crate::app) name: Option<&'a [u8]>,
    /// More than one extension names servers.
    pub(in crate::app) several: bool,
    pub(in crate::app) bad_type: bool,
    pub(in crate::app) bad_length: bool,
}

impl<'a> ServerName<'a> {
    pub(in crate::app) fn of(extensions: Extensions<'a>) -> ServerName<'a> {
        let mut found = ServerName::default();
        let mut each = extensions.filter(|(id, _)| *id == extension::SERVER_NAME);
        if let Some((_, data)) = each.next() {
            found.read(data);
        }
        found.several = each.next().is_some();
        found
    }

    /// A length that does not fit is an event, and the name is what there is: so do lenient servers.
    fn read(&mut self, data: &'a [u8]) {
        let mut rest = Reader(data);
        let Some(list) = rest.u16() else {
            self.bad_length = !data.is_empty();
            return;
        };
        self.bad_length = usize::from(list) != rest.0.len();
        let (Some(kind), Some(len)) = (rest.u8(), rest.u16()) else {
            self.bad_length = true;
            return;
        };
        self.bad_type = kind != 0;
        self.bad_length |= usize::from(len) > rest.0.len() || len == 0;
        let name = rest.take(usize::from(len)).unwrap_or(rest.0);
        self.name = (kind == 0 && !name.is_empty()).then_some(name);
    }
}

//! What a message holds, as fields, buffers and notes of its transaction.

use super::cip;
use super::encapsulation::{Header, Identity, Service, command, item, items};
use crate::app::Transaction;
use crate::app::cursor::Cursor;
use crate::app::exchange::of_exchange;
use crate::base::Dir;
use crate::rules::context::{self, BufferId};
use crate::rules::field::industrial::{ENIP_COMMANDS, ENIP_STATUS};
use crate::rules::field::{self, FieldId, cip_value};

const COMMAND: FieldId = field::id("enip_command");
const STATUS: FieldId = field::id("enip.status");
const PROTOCOL_VERSION: FieldId = field::id("enip.protocol_version");
const CAPABILITIES: FieldId = field::id("enip.capabilities");
const VENDOR_ID: FieldId = field::id("enip.vendor_id");
const DEVICE_TYPE: FieldId = field::id("enip.device_type");
const PRODUCT_CODE: FieldId = field::id("enip.product_code");
const REVISION: FieldId = field::id("enip.revision");
const IDENTITY_STATUS: FieldId = field::id("enip.identity_status");
const SERIAL: FieldId = field::id("enip.serial");
const STATE: FieldId = field::id("enip.state");
const CIP_SERVICE: FieldId = field::id("cip_service");
const CIP_CLASS: FieldId = field::id("enip.cip_class");
const CIP_INSTANCE: FieldId = field::id("enip.cip_instance");
const CIP_ATTRIBUTE: FieldId = field::id("enip.cip_attribute");
const CIP_STATUS: FieldId = field::id("enip.cip_status");
const CIP_EXTENDED: FieldId = field::id("enip.cip_extendedstatus");
const PRODUCT_NAME: BufferId = context::id("enip.product_name");
const SERVICE_NAME: BufferId = context::id("enip.service_name");

/// `None` when the message ends in the middle.
pub(super) fn message(tx: &mut Transaction, dir: Dir, header: &Header, body: &[u8]) -> Option<()> {
    tx.field(dir, COMMAND, header.command.into());
    tx.field(dir, STATUS, header.status.into());
    if let Some(name) = name(ENIP_COMMANDS, header.command.into()) {
        tx.note(of_exchange!(dir, "command"), name.as_bytes());
    }
    match name(ENIP_STATUS, header.status.into()) {
        Some(name) => tx.note(of_exchange!(dir, "status"), name.as_bytes()),
        None => tx.note_number(of_exchange!(dir, "status"), header.status.into()),
    }
    match header.command {
        command::REGISTER_SESSION if !body.is_empty() => {
            let mut cursor = Cursor::little(body);
            let (version, options) = (cursor.u16()?, cursor.u16()?);
            tx.field(dir, PROTOCOL_VERSION, version.into());
            tx.note_number(of_exchange!(dir, "register_session.protocol_version"), version.into());
            tx.note_number(of_exchange!(dir, "register_session.options"), options.into());
            Some(())
        }
        command::LIST_SERVICES if dir == Dir::ToClient => {
            let mut services = items(body).filter(|(kind, _)| *kind == item::SERVICES);
            services.try_for_each(|(_, data)| Service::parse(data).map(|found| service(tx, &found)))
        }
        command::LIST_IDENTITY if dir == Dir::ToClient => {
            let mut identities = items(body).filter(|(kind, _)| *kind == item::IDENTITY);
            identities.try_for_each(|(_, data)| Identity::parse(data).map(|found| identity(tx, &found)))
        }
        command::SEND_RR_DATA | command::SEND_UNIT_DATA if !body.is_empty() => {
            // An interface and a timeout.
            let packets = body.get(6..)?;
            items(packets).try_for_each(|(kind, data)| match kind {
                item::UNCONNECTED => cip::read(data, &mut Sorter { tx, dir }),
                // Behind a count.
                item::CONNECTED => cip::read(data.get(2..)?, &mut Sorter { tx, dir }),
                _ => Some(()),
            })
        }
        _ => Some(()),
    }
}

fn name(names: &[(&'static str, u64)], number: u64) -> Option<&'static str> {
    names.iter().find(|(_, known)| *known == number).map(|(name, _)| *name)
}

fn service(tx: &mut Transaction, service: &Service<'_>) {
    let dir = Dir::ToClient;
    tx.field(dir, PROTOCOL_VERSION, service.protocol_version.into());
    tx.field(dir, CAPABILITIES, service.capabilities.into());
    tx.put(dir, SERVICE_NAME, service.name);
    tx.note_number("response.list_services.protocol_version", service.protocol_version.into());
    tx.note_number("response.list_services.capabilities", service.capabilities.into());
    tx.note("response.list_services.service_name", service.name);
}

fn identity(tx: &mut Transaction, identity: &Identity<'_>) {
    let dir = Dir::ToClient;
    let numbers = [
        (PROTOCOL_VERSION, "response.identity.protocol_version", u32::from(identity.protocol_version)),
        (VENDOR_ID, "response.identity.vendor_id", identity.vendor_id.into()),
        (DEVICE_TYPE, "response.identity.device_type", identity.device_type.into()),
        (PRODUCT_CODE, "response.identity.product_code", identity.product_code.into()),
        (REVISION, "response.identity.revision", identity.revision.into()),
        (IDENTITY_STATUS, "response.identity.status", identity.status.into()),
        (SERIAL, "response.identity.serial", identity.serial),
    ];
    for (id, note, number) in numbers {
        tx.field(dir, id, number.into());
        tx.note_number(note, number.into());
    }
    if let Some(state) = identity.state {
        tx.field(dir, STATE, state.into());
        tx.note_number("response.identity.state", state.into());
    }
    tx.put(dir, PRODUCT_NAME, identity.product_name);
    tx.note("response.identity.product_name", identity.product_name);
}

/// Puts what a CIP message holds where it belongs.
struct Sorter<'a> {
    tx: &'a mut Transaction,
    dir: Dir,
}

impl cip::Reader for Sorter<'_> {
    fn service(&mut self, answer: bool, service: u8) {
        if answer {
            self.tx.field(self.dir, CIP_SERVICE, cip_value(service, None, None));
        }
        self.tx.note_begin(of_exchange!(self.dir, "cip[]"));
        self.tx.note_number(of_exchange!(self.dir, "cip[].service"), service.into());
    }

    fn class(&mut self, class: u32) {
        self.tx.field(self.dir, CIP_CLASS, class.into());
        self.tx.note_number(of_exchange!(self.dir, "cip[].class"), class.into());
    }

    fn instance(&mut self, instance: u32) {
        self.tx.field(self.dir, CIP_INSTANCE, instance.into());
        self.tx.note_number(of_exchange!(self.dir, "cip[].instance"), instance.into());
    }

    fn attribute(&mut self, attribute: u32) {
        self.tx.field(self.dir, CIP_ATTRIBUTE, attribute.into());
        self.tx.note_number(of_exchange!(self.dir, "cip[].attributes[]"), attribute.into());
    }

    fn request(&mut self, service: u8, class: Option<u16>, attribute: Option<u16>) {
        self.tx.field(self.dir, CIP_SERVICE, cip_value(service, class, attribute));
    }

    fn status(&mut self, status: u8) {
        self.tx.field(self.dir, CIP_STATUS, status.into());
        self.tx.note_number(of_exchange!(self.dir, "cip[].status"), status.into());
    }

    fn extended_status(&mut self, status: u16) {
        self.tx.field(self.dir, CIP_EXTENDED, status.into());
        self.tx.note_number(of_exchange!(self.dir, "cip[].extended_status[]"), status.into());
    }
}

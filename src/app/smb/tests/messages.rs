//! Messages for the tests, and what they are to be compared by.

use crate::app::fixture::Bench;
use crate::app::smb::ENTRY;
use crate::app::smb::command::{smb1 as old, smb2 as new};
use crate::base::Dir;
use crate::rules::app::AppProto;

pub(super) const FILE: [u8; 16] = [7; 16];

pub(super) fn bench() -> Bench {
    Bench::new(AppProto::Smb, (ENTRY.make.unwrap())())
}

/// In a NetBIOS session message.
pub(super) fn session(messages: &[Vec<u8>]) -> Vec<u8> {
    let all = messages.concat();
    let mut bytes = (all.len() as u32).to_be_bytes().to_vec();
    bytes.extend(all);
    bytes
}

pub(super) fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// An SMB 2 message: bit 0 of flags says that it is an answer.
pub(super) fn smb2(command: u16, flags: u32, status: u32, message: u64, tree: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xfeSMB\x40\0\0\0".to_vec();
    bytes.extend(status.to_le_bytes());
    bytes.extend(command.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(flags.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(message.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(tree.to_le_bytes());
    bytes.extend([0; 24]);
    bytes.extend_from_slice(body);
    bytes
}

pub(super) fn ask(command: u16, message: u64, tree: u32, body: &[u8]) -> Vec<u8> {
    smb2(command, 0, 0, message, tree, body)
}

pub(super) fn reply(command: u16, message: u64, tree: u32, body: &[u8]) -> Vec<u8> {
    smb2(command, 1, 0, message, tree, body)
}

/// Says where the next message of the compound begins.
pub(super) fn chained(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().next_multiple_of(8), 0);
    let len = message.len() as u32;
    message[20..24].copy_from_slice(&len.to_le_bytes());
    message
}

pub(super) fn tree_connect(name: &str) -> Vec<u8> {
    let name = wide(name);
    let mut body = vec![9, 0, 0, 0, 72, 0];
    body.extend((name.len() as u16).to_le_bytes());
    body.extend(name);
    body
}

pub(super) fn create(name: &str) -> Vec<u8> {
    let name = wide(name);
    let mut body = vec![57, 0];
    body.extend([0; 34]);
    body.extend([1, 0, 0, 0, 0, 0, 0, 0, 120, 0]);
    body.extend((name.len() as u16).to_le_bytes());
    body.extend([0; 8]);
    body.extend(name);
    body
}

pub(super) fn created(handle: [u8; 16]) -> Vec<u8> {
    let mut body = vec![89, 0];
    body.extend([0; 62]);
    body.extend(handle);
    body.extend([0; 8]);
    body
}

pub(super) fn write(handle: [u8; 16], offset: u64, data: &[u8]) -> Vec<u8> {
    let mut body = vec![49, 0, 112, 0];
    body.extend((data.len() as u32).to_le_bytes());
    body.extend(offset.to_le_bytes());
    body.extend(handle);
    body.extend([0; 16]);
    body.extend_from_slice(data);
    body
}

pub(super) fn read(handle: [u8; 16], offset: u64) -> Vec<u8> {
    let mut body = vec![49, 0, 0, 0, 0, 1, 0, 0];
    body.extend(offset.to_le_bytes());
    body.extend(handle);
    body.extend([0; 17]);
    body
}

pub(super) fn read_answer(data: &[u8]) -> Vec<u8> {
    let mut body = vec![17, 0, 80, 0];
    body.extend((data.len() as u32).to_le_bytes());
    body.extend([0; 8]);
    body.extend_from_slice(data);
    body
}

pub(super) fn close(handle: [u8; 16]) -> Vec<u8> {
    let mut body = vec![24, 0, 0, 0, 0, 0, 0, 0];
    body.extend(handle);
    body
}

/// A share, a file opened in it.
pub(super) fn opened(share: &str, file: &str) -> Bench {
    let mut bench = bench();
    bench.data(Dir::ToServer, &session(&[ask(new::TREE_CONNECT, 1, 0, &tree_connect(share))]));
    let kind = if share.ends_with("IPC$") { 2 } else { 1 };
    bench.data(Dir::ToClient, &session(&[reply(new::TREE_CONNECT, 1, 5, &[16, 0, kind, 0, 0, 0, 0, 0])]));
    bench.data(Dir::ToServer, &session(&[ask(new::CREATE, 2, 5, &create(file))]));
    bench.data(Dir::ToClient, &session(&[reply(new::CREATE, 2, 5, &created(FILE))]));
    bench
}

/// What a test compares: transactions as text.
pub(super) fn told(bench: &Bench) -> Vec<String> {
    let tell = |tx: &crate::app::Transaction| {
        let items: Vec<_> = tx.items().iter().map(|item| (item.id, item.dir, tx.bytes(item))).collect();
        let streamed: Vec<_> = tx.streamed().iter().map(|s| (s.id, s.dir, s.kept(), s.ended)).collect();
        let files: Vec<_> = tx.files().iter().map(|f| (f.dir, f.size, f.closed, f.truncated)).collect();
        let stages = Dir::BOTH.map(|dir| tx.stage(dir));
        format!(
            "{items:?} {streamed:?} {files:?} {stages:?} {:?} {:?}",
            tx.events(),
            tx.notes().collect::<Vec<_>>()
        )
    };
    bench.transactions.iter().map(tell).collect()
}

/// A DCE/RPC request of operation 12, in little endian.
pub(super) fn rpc(kind: u8, stub: &[u8]) -> Vec<u8> {
    let mut unit = vec![5, 0, kind, 3, 0x10, 0, 0, 0];
    unit.extend((24 + stub.len() as u16).to_le_bytes());
    unit.extend([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0]);
    unit.extend_from_slice(stub);
    unit
}

/// An SMB 1 message with text in UTF-16.
pub(super) fn smb1(command: u16, is_answer: bool, words: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut message = b"\xffSMB".to_vec();
    message.extend([command as u8, 0, 0, 0, 0, if is_answer { 0x80 } else { 0 }, 0, 0x80]);
    message.extend([0; 12]);
    message.extend([5, 0, 1, 0, 0, 0, 9, 0, (words.len() / 2) as u8]);
    message.extend_from_slice(words);
    message.extend((bytes.len() as u16).to_le_bytes());
    message.extend_from_slice(bytes);
    message
}

pub(super) fn tree_connect_andx(name: &str, service: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(wide(name));
    bytes.extend([0, 0]);
    bytes.extend(service.as_bytes());
    bytes.push(0);
    smb1(old::TREE_CONNECT_ANDX, false, &[0xff, 0, 0, 0, 0, 0, 1, 0], &bytes)
}

pub(super) fn write_andx(padding: usize, data: &[u8]) -> Vec<u8> {
    let offset = 32 + 1 + 28 + 2 + padding;
    let mut words = vec![0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0];
    words.extend([0; 10]);
    words.extend((data.len() as u16).to_le_bytes());
    words.extend((offset as u16).to_le_bytes());
    words.extend([0; 4]);
    let mut bytes = vec![0; padding];
    bytes.extend_from_slice(data);
    smb1(old::WRITE_ANDX, false, &words, &bytes)
}

//! Numbers of commands, and the names that eve.json gives them.

pub mod smb1 {
    pub const CLOSE: u16 = 0x04;
    pub const TRANSACTION: u16 = 0x25;
    pub const OPEN_ANDX: u16 = 0x2d;
    pub const READ_ANDX: u16 = 0x2e;
    pub const WRITE_ANDX: u16 = 0x2f;
    pub const TRANSACTION2: u16 = 0x32;
    pub const NEGOTIATE: u16 = 0x72;
    pub const SESSION_SETUP_ANDX: u16 = 0x73;
    pub const TREE_CONNECT_ANDX: u16 = 0x75;
    pub const NT_CREATE_ANDX: u16 = 0xa2;
}

pub mod smb2 {
    pub const NEGOTIATE: u16 = 0;
    pub const SESSION_SETUP: u16 = 1;
    pub const TREE_CONNECT: u16 = 3;
    pub const CREATE: u16 = 5;
    pub const CLOSE: u16 = 6;
    pub const READ: u16 = 8;
    pub const WRITE: u16 = 9;
    pub const IOCTL: u16 = 11;
    pub const GET_INFO: u16 = 16;
    pub const SET_INFO: u16 = 17;
}

const SMB1_NAMES: &[(u16, &str)] = &[
    (0x00, "SMB1_COMMAND_CREATE_DIRECTORY"),
    (0x01, "SMB1_COMMAND_DELETE_DIRECTORY"),
    (0x02, "SMB1_COMMAND_OPEN"),
    (0x03, "SMB1_COMMAND_CREATE"),
    (0x04, "SMB1_COMMAND_CLOSE"),
    (0x05, "SMB1_COMMAND_FLUSH"),
    (0x06, "SMB1_COMMAND_DELETE"),
    (0x07, "SMB1_COMMAND_RENAME"),
    (0x08, "SMB1_COMMAND_QUERY_INFORMATION"),
    (0x09, "SMB1_COMMAND_SET_INFORMATION"),
    (0x0a, "SMB1_COMMAND_READ"),
    (0x0b, "SMB1_COMMAND_WRITE"),
    (0x10, "SMB1_COMMAND_CHECK_DIRECTORY"),
    (0x25, "SMB1_COMMAND_TRANS"),
    (0x2b, "SMB1_COMMAND_ECHO"),
    (0x2d, "SMB1_COMMAND_OPEN_ANDX"),
    (0x2e, "SMB1_COMMAND_READ_ANDX"),
    (0x2f, "SMB1_COMMAND_WRITE_ANDX"),
    (0x32, "SMB1_COMMAND_TRANS2"),
    (0x34, "SMB1_COMMAND_FIND_CLOSE2"),
    (0x71, "SMB1_COMMAND_TREE_DISCONNECT"),
    (0x72, "SMB1_COMMAND_NEGOTIATE_PROTOCOL"),
    (0x73, "SMB1_COMMAND_SESSION_SETUP_ANDX"),
    (0x74, "SMB1_COMMAND_LOGOFF_ANDX"),
    (0x75, "SMB1_COMMAND_TREE_CONNECT_ANDX"),
    (0x80, "SMB1_COMMAND_QUERY_INFO_DISK"),
    (0xa0, "SMB1_COMMAND_NT_TRANS"),
    (0xa2, "SMB1_COMMAND_NT_CREATE_ANDX"),
    (0xa4, "SMB1_COMMAND_NT_CANCEL"),
];

const SMB2_NAMES: &[&str] = &[
    "SMB2_COMMAND_NEGOTIATE_PROTOCOL",
    "SMB2_COMMAND_SESSION_SETUP",
    "SMB2_COMMAND_SESSION_LOGOFF",
    "SMB2_COMMAND_TREE_CONNECT",
    "SMB2_COMMAND_TREE_DISCONNECT",
    "SMB2_COMMAND_CREATE",
    "SMB2_COMMAND_CLOSE",
    "SMB2_COMMAND_FLUSH",
    "SMB2_COMMAND_READ",
    "SMB2_COMMAND_WRITE",
    "SMB2_COMMAND_LOCK",
    "SMB2_COMMAND_IOCTL",
    "SMB2_COMMAND_CANCEL",
    "SMB2_COMMAND_KEEPALIVE",
    "SMB2_COMMAND_FIND",
    "SMB2_COMMAND_CHANGE_NOTIFY",
    "SMB2_COMMAND_GET_INFO",
    "SMB2_COMMAND_SET_INFO",
    "SMB2_COMMAND_OPLOCK_BREAK",
];

pub fn smb1_name(command: u16) -> &'static str {
    SMB1_NAMES.iter().find(|(number, _)| *number == command).map_or("UNKNOWN", |(_, name)| name)
}

pub fn smb2_name(command: u16) -> &'static str {
    SMB2_NAMES.get(usize::from(command)).copied().unwrap_or("UNKNOWN")
}

/// [MS-ERREF] 2.3.1, those that servers answer with.
const STATUS: &[(u32, &str)] = &[
    (0, "STATUS_SUCCESS"),
    (0x0000_0103, "STATUS_PENDING"),
    (0x0000_010b, "STATUS_NOTIFY_CLEANUP"),
    (0x0000_010c, "STATUS_NOTIFY_ENUM_DIR"),
    (0x8000_0005, "STATUS_BUFFER_OVERFLOW"),
    (0x8000_0006, "STATUS_NO_MORE_FILES"),
    (0xc000_0001, "STATUS_UNSUCCESSFUL"),
    (0xc000_0002, "STATUS_NOT_IMPLEMENTED"),
    (0xc000_0003, "STATUS_INVALID_INFO_CLASS"),
    (0xc000_0004, "STATUS_INFO_LENGTH_MISMATCH"),
    (0xc000_0008, "STATUS_INVALID_HANDLE"),
    (0xc000_000d, "STATUS_INVALID_PARAMETER"),
    (0xc000_000f, "STATUS_NO_SUCH_FILE"),
    (0xc000_0010, "STATUS_INVALID_DEVICE_REQUEST"),
    (0xc000_0011, "STATUS_END_OF_FILE"),
    (0xc000_0016, "STATUS_MORE_PROCESSING_REQUIRED"),
    (0xc000_0022, "STATUS_ACCESS_DENIED"),
    (0xc000_0023, "STATUS_BUFFER_TOO_SMALL"),
    (0xc000_0033, "STATUS_OBJECT_NAME_INVALID"),
    (0xc000_0034, "STATUS_OBJECT_NAME_NOT_FOUND"),
    (0xc000_0035, "STATUS_OBJECT_NAME_COLLISION"),
    (0xc000_003a, "STATUS_OBJECT_PATH_NOT_FOUND"),
    (0xc000_0043, "STATUS_SHARING_VIOLATION"),
    (0xc000_0054, "STATUS_FILE_LOCK_CONFLICT"),
    (0xc000_0056, "STATUS_DELETE_PENDING"),
    (0xc000_006d, "STATUS_LOGON_FAILURE"),
    (0xc000_006e, "STATUS_ACCOUNT_RESTRICTION"),
    (0xc000_0071, "STATUS_PASSWORD_EXPIRED"),
    (0xc000_0072, "STATUS_ACCOUNT_DISABLED"),
    (0xc000_00ac, "STATUS_PIPE_NOT_AVAILABLE"),
    (0xc000_00ba, "STATUS_FILE_IS_A_DIRECTORY"),
    (0xc000_00bb, "STATUS_NOT_SUPPORTED"),
    (0xc000_00c9, "STATUS_NETWORK_NAME_DELETED"),
    (0xc000_00cc, "STATUS_BAD_NETWORK_NAME"),
    (0xc000_0101, "STATUS_DIRECTORY_NOT_EMPTY"),
    (0xc000_0103, "STATUS_NOT_A_DIRECTORY"),
    (0xc000_0120, "STATUS_CANCELLED"),
    (0xc000_0128, "STATUS_FILE_CLOSED"),
    (0xc000_0203, "STATUS_USER_SESSION_DELETED"),
    (0xc000_0225, "STATUS_NOT_FOUND"),
    (0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT"),
    (0xc000_0257, "STATUS_PATH_NOT_COVERED"),
    (0xc000_035c, "STATUS_NETWORK_SESSION_EXPIRED"),
];

pub fn status_name(status: u32) -> Option<&'static str> {
    let at = STATUS.binary_search_by_key(&status, |(number, _)| *number).ok()?;
    STATUS.get(at).map(|(_, name)| *name)
}

/// SMB 2 and 3, as eve.json writes them.
pub fn dialect_name(dialect: u16) -> &'static str {
    match dialect {
        0x0202 => "2.02",
        0x0210 => "2.10",
        0x0222 => "2.22",
        0x0224 => "2.24",
        0x02ff => "2.??",
        0x0300 => "3.00",
        0x0302 => "3.02",
        0x0310 => "3.10",
        0x0311 => "3.11",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(STATUS.is_sorted_by_key(|(number, _)| *number));
        assert_eq!(status_name(0xc000_0016), Some("STATUS_MORE_PROCESSING_REQUIRED"));
        assert_eq!((smb1_name(smb1::WRITE_ANDX), smb1_name(0xfe)), ("SMB1_COMMAND_WRITE_ANDX", "UNKNOWN"));
        assert_eq!((smb2_name(smb2::SET_INFO), smb2_name(99)), ("SMB2_COMMAND_SET_INFO", "UNKNOWN"));
    }
}

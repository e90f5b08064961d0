//! Names of notes below a record's `request` and `response`.

/// The name below `request` for what the client sends, below `response` for what the server does.
macro_rules! of_exchange {
    ($dir:expr, $name:literal) => {
        match $dir {
            $crate::base::Dir::ToServer => concat!("request.", $name),
            $crate::base::Dir::ToClient => concat!("response.", $name),
        }
    };
}

pub(super) use of_exchange;

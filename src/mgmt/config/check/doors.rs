//! What must hold of the doors that others come in by.

use super::Checker;

pub(super) fn check(checker: &mut Checker<'_>) {
    let rpc = &checker.config.rpc;
    if let Some(address) = rpc.listen.0.filter(|_| !rpc.enabled) {
        let message = format!("nobody listens at {address}: rpc.enabled is false");
        checker.fault("rpc.listen", message, "write rpc.enabled = true, or leave rpc.listen out");
    }
    if rpc.tls.is_set() {
        for (name, path) in rpc.tls.files() {
            if path.as_os_str().is_empty() {
                let mend = "name certificate, key and client-ca, PEM files, or none of them";
                checker.fault(&format!("rpc.tls.{name}"), format!("[rpc.tls] has no {name}"), mend);
            }
        }
    } else if let Some(address) = rpc.listen.0.filter(|address| !address.ip().is_loopback()) {
        let message = format!("{address} is not this machine alone, and there is no [rpc.tls]");
        let mend = "name certificate, key and client-ca in [rpc.tls], or listen at 127.0.0.1";
        checker.fault("rpc.listen", message, mend);
    }
}

//! `weir doctor`: does this machine do for the configuration, and what mends what does not.

use super::{ConfigArgs, Failure, Outcome};
use crate::mgmt::Profile;
use crate::mgmt::config::Sources;
use crate::mgmt::doctor::{Finding, Host, Patient, State, examine};
use clap::Args;

#[derive(Debug, Args)]
pub struct Doctor {
    /// Without one the machine alone is looked at
    #[command(flatten)]
    source: ConfigArgs,
    /// Print an object: checks [{check, state, text, mend}], warnings, faults
    #[arg(long)]
    json: bool,
}

/// Exit code 1 if there is a fault; warnings are none.
pub fn run(args: Doctor) -> Result<Outcome, Failure> {
    let host = Host::this();
    let file = args.source.config.as_deref();
    let sources = Sources { file, sets: &args.source.sets, profile: Profile::Inline };
    let mut findings = Vec::new();
    let loaded = match sources.load() {
        Ok(loaded) => loaded,
        Err(faults) => {
            // The machine is looked at all the same, with the defaults.
            let text = faults.to_string().lines().next().unwrap_or_default().to_owned();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let shown = file.map_or_else(String::new, |file| format!(" -c {}", file.display()));
            findings.push(Finding::fault("configuration", text, format!("weir check{shown}")));
            Sources { file: None, sets: &[], profile: Profile::Inline }.load()?
        }
    };
    findings.extend(examine(&Patient::of(&host, &loaded)));
    super::print(&if args.json { json(&findings)? } else { table(&findings) })?;
    Ok(if count(&findings, State::Fault) > 0 { Outcome::Flawed } else { Outcome::Clean })
}

fn count(findings: &[Finding], state: State) -> usize {
    findings.iter().filter(|finding| finding.state == state).count()
}

fn json(findings: &[Finding]) -> Result<String, Failure> {
    let check = |finding: &Finding| {
        serde_json::json!({
            "check": finding.check,
            "state": finding.state.word(),
            "text": finding.text,
            "mend": (!finding.mend.is_empty()).then_some(&finding.mend),
        })
    };
    let checks: Vec<_> = findings.iter().map(check).collect();
    let (warnings, faults) = (count(findings, State::Warning), count(findings, State::Fault));
    let report = serde_json::json!({ "checks": checks, "warnings": warnings, "faults": faults });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// A line a finding, and below it what mends it.
fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        text += &format!("{:<8} {:<14} {}\n", finding.state.word(), finding.check, finding.text);
        if !finding.mend.is_empty() {
            text += &format!("{:24}mend: {}\n", "", finding.mend);
        }
    }
    let (warnings, faults) = (count(findings, State::Warning), count(findings, State::Fault));
    text + &format!("{} checks, {warnings} warnings, {faults} faults\n", findings.len())
}

use super::*;

const TEXT: &str = "# A box.\nprofile = \"inline\"\n\n[timeouts] # idle\ntcp-new = \"30s\" # short\n\n[[port]]\nname = \"a\"\n\n[[port]]\nname = \"b\"\n";

fn set(key: &str, value: &str) -> Edit {
    Edit::Set { key: key.into(), value: value.into() }
}

fn unset(key: &str) -> Edit {
    Edit::Unset { key: key.into() }
}

fn edited(edits: &[Edit]) -> String {
    edit(TEXT, edits).unwrap()
}

#[test]
fn comments_and_order_stay() {
    let text = edited(&[set("timeouts.tcp-new", "5s")]);
    assert_eq!(text, TEXT.replace("30s", "5s"));
    let back = edit(&text, &[set("timeouts.tcp-new", "\"30s\"")]).unwrap();
    assert_eq!(back, TEXT);
}

#[test]
fn sections_names_and_items_are_made_where_there_are_none() {
    let text = edited(&[
        set("lcores.workers", "2"),
        set("vars.address.HOME_NET", "[10.0.0.0/8]"),
        set("host-os-policy.10.0.0.0/8", "linux"),
        set("port.1.mtu", "9000"),
        set("port.2.name", "c"),
        set("outputs.further-eve.0.name", "siem"),
    ]);
    for part in [
        "\n[lcores]\nworkers = 2\n",
        "\n[vars.address]\nHOME_NET = \"[10.0.0.0/8]\"\n",
        "\n[host-os-policy]\n\"10.0.0.0/8\" = \"linux\"\n",
        "name = \"b\"\nmtu = 9000\n\n[[port]]\nname = \"c\"\n",
        "[[outputs.further-eve]]\nname = \"siem\"\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_unset_is_gone() {
    let text = edited(&[unset("timeouts.tcp-new"), unset("port.0"), unset("profile")]);
    assert_eq!(text, "\n[timeouts] # idle\n\n[[port]]\nname = \"b\"\n");
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    for (change, part) in [
        (unset("lcores.workers"), "its default holds already"),
        (unset("port.7"), "no such item"),
        (set("port.3.name", "x"), "there are 2 items: the next new one is port.2"),
        (set("port.0", "x"), "name a key of the item"),
        (set("timeouts", "1"), "this is a section"),
        (set("profile.x", "1"), "`profile` is no section here"),
        (set("a b.c", "1"), "is no key"),
    ] {
        let why = edit(TEXT, std::slice::from_ref(&change)).unwrap_err();
        assert!(why.contains(part), "{change:?}: {why}");
    }
    assert!(edit("[x", &[]).unwrap_err().contains("not TOML"));
}

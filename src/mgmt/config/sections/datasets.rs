//! `[datasets]`, `[[dataset]]`, `[reputation]`, `[geoip]`.

use crate::mgmt::config::value::{Bytes, Within, words};
use crate::mgmt::config::visit::{Item, Section, Visitor};
use crate::rules::dataset::{Kind, Named, Settings};
use crate::rules::reputation::attach::Files;
use std::path::{Path, PathBuf};

/// What holds for all datasets.
#[derive(Clone, Debug)]
pub struct Datasets {
    pub folder: PathBuf,
    pub allow_absolute: bool,
    pub allow_write: bool,
    pub memcap: Bytes,
}

impl Default for Datasets {
    fn default() -> Datasets {
        let Settings { folder, allow_absolute, allow_write, memcap, .. } = Settings::default();
        Datasets { folder, allow_absolute, allow_write, memcap: Bytes(memcap) }
    }
}

impl Section for Datasets {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "folder",
            "Where the files start that rules have written (`save`, `state`).",
            &mut self.folder,
        );
        v.live(
            "allow-absolute-filenames",
            "Let rules write elsewhere: by absolute names, or with `..`.",
            &mut self.allow_absolute,
        );
        v.live("allow-write", "Let rules have files written at all.", &mut self.allow_write);
        v.live(
            "memcap",
            "Bytes of a set that changes, where neither rule nor [[dataset]] says: taken at start, for all workers together.\n\
             What finds no room is not put in, and counted.",
            &mut self.memcap,
        );
    }
}

words! {
    /// What the values of a dataset are.
    DatasetType {
        Text = "string",
        Md5 = "md5",
        Sha256 = "sha256",
        Ipv4 = "ipv4",
        Ip = "ip",
    }
}

/// A set that the configuration describes. An empty path is none, 0 nothing said.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub name: String,
    pub kind: DatasetType,
    pub load: PathBuf,
    pub save: PathBuf,
    pub state: PathBuf,
    pub memcap: Bytes,
    pub hashsize: u64,
}

impl Default for Dataset {
    fn default() -> Dataset {
        Dataset {
            name: String::new(),
            kind: DatasetType::Text,
            load: PathBuf::new(),
            save: PathBuf::new(),
            state: PathBuf::new(),
            memcap: Bytes(0),
            hashsize: 0,
        }
    }
}

impl Item for Dataset {
    fn sample() -> Dataset {
        Dataset {
            name: "ua-seen".into(),
            state: "/var/lib/weir/datasets/ua-seen.lst".into(),
            ..Dataset::default()
        }
    }
}

impl Section for Dataset {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live("name", "As rules name it.", &mut self.name);
        v.live("type", "\"string\", \"md5\", \"sha256\", \"ipv4\" or \"ip\".", &mut self.kind);
        v.live(
            "load",
            "Its values at the start (docs/datasets.md has the format). Empty: none.",
            &mut self.load,
        );
        v.live("save", "Where it is written at the end. Empty: nowhere.", &mut self.save);
        v.live("state", "Both, in place of the two; it need not be there yet.", &mut self.state);
        v.live(
            "memcap",
            "Bytes that it may take, at most 4GiB, taken at start. 0: as [datasets] says.",
            &mut self.memcap,
        );
        v.live(
            "hashsize",
            "About how many values there is to be room for, within memcap. 0: one for each 64 bytes.",
            &mut Within(&mut self.hashsize, 0..=1 << 32).of("values"),
        );
    }
}

fn path(base: &Path, path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| base.join(path))
}

impl Datasets {
    /// `base`: where relative paths of the configuration start.
    pub fn settings(&self, named: &[Dataset], base: &Path) -> Settings {
        let one = |set: &Dataset| Named {
            name: set.name.as_str().into(),
            kind: match set.kind {
                DatasetType::Text => Kind::Text,
                DatasetType::Md5 => Kind::Md5,
                DatasetType::Sha256 => Kind::Sha256,
                DatasetType::Ipv4 => Kind::Ipv4,
                DatasetType::Ip => Kind::Ip,
            },
            load: path(base, &set.load),
            save: path(base, &set.save),
            state: path(base, &set.state),
            memcap: (set.memcap.0 > 0).then_some(set.memcap.0),
            hashsize: (set.hashsize > 0).then_some(set.hashsize),
        };
        Settings {
            folder: base.join(&self.folder),
            allow_absolute: self.allow_absolute,
            allow_write: self.allow_write,
            memcap: self.memcap.0,
            named: named.iter().map(one).collect(),
        }
    }
}

/// Lists of addresses with scores.
#[derive(Clone, Debug, Default)]
pub struct Reputation {
    pub categories: PathBuf,
    pub files: Vec<PathBuf>,
}

impl Section for Reputation {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "categories",
            "Numbers and names of categories, one a line: 1,CnC,Command and control. Empty: rules with `iprep` wait.",
            &mut self.categories,
        );
        v.live(
            "files",
            "Addresses or networks with a category's number and a score from 1 to 127, one a line: 192.0.2.0/24,1,90. Read\n\
             again at each reload.",
            &mut self.files,
        );
    }
}

/// Countries of addresses.
#[derive(Clone, Debug, Default)]
pub struct Geoip {
    pub database: PathBuf,
}

impl Section for Geoip {
    fn visit(&mut self, v: &mut dyn Visitor) {
        v.live(
            "database",
            "A database in MaxMind's format with countries (GeoIP2 or GeoLite2 Country or City, .mmdb). Read again at each\n\
             reload. Empty: rules with `geoip` are refused.",
            &mut self.database,
        );
    }
}

impl Geoip {
    pub fn path(&self, base: &Path) -> Option<PathBuf> {
        path(base, &self.database)
    }
}

impl Reputation {
    pub fn files(&self, base: &Path) -> Files {
        Files {
            categories: path(base, &self.categories),
            lists: self.files.iter().map(|file| base.join(file)).collect(),
        }
    }
}

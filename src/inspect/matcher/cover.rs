//! Choosing one window a pattern so that the bigram filter lets as little of real traffic through as may be.
//!
//! The model of traffic is a Markov chain over classes of bytes, from the counts in `pairs`. A position passes if its first
//! pair of bytes is in the one table and its second in the other: the sum, over the byte they share, of the share of
//! positions that the first lets come there and the chance that the second lets them go on. Patterns are placed one by one,
//! those with the least choice first, each where it adds least; then all are taken up and placed again.

use super::alphabet::{Alphabet, CLASSES};
use super::bigram::Window;
use super::window::{COUNTERS, REACH, WINDOW, counter, window};
use std::sync::LazyLock;

/// How often all patterns are placed.
const ROUNDS: usize = 2;
/// What comparing a pattern costs beside letting a position through.
const COMPARING: f32 = 4.0;
/// What each pattern costs that has the same window already: a text may be made of what many have.
const CROWD: f32 = 0.000_02;
/// Share of traffic that is in runs, of whatever byte: fillings and padding come in kinds that no count foresees.
const RUNS: f32 = 0.01;

/// Log 2 of the share of pairs of blanks in text, as in `pairs`.
const TWO_BLANKS: u32 = 11;

/// Shares of traffic by pairs of classes.
struct Model {
    /// Of a pair among all positions.
    pairs: [[f32; CLASSES]; CLASSES],
    /// Of the second class among what follows the first.
    follows: [[f32; CLASSES]; CLASSES],
}

static MODELS: LazyLock<[Box<Model>; 4]> = LazyLock::new(|| Alphabet::ALL.map(|a| Box::new(Model::of(a))));

impl Model {
    fn of(alphabet: Alphabet) -> Model {
        // One byte of those that `pairs` counts as one, if they are one here too.
        let counts_once = |b: u8| b >= 0x80 || b & 0x20 != 0 || alphabet.class(b) != alphabet.class(b | 0x20);
        let bytes = || (0..=255u8).filter(|&b| alphabet.has(&[b; 3]) && counts_once(b));
        let mut model = Model { pairs: [[0.0; CLASSES]; CLASSES], follows: [[0.0; CLASSES]; CLASSES] };
        for a in bytes() {
            for b in bytes() {
                let mut log = super::pairs::commonness(a, b);
                // Blanks are counted as zeroes are, which stand in rows as nothing in text does.
                if (a, b) == (b' ', b' ') && !alphabet.is_wide() {
                    log = log.min(TWO_BLANKS);
                }
                let share = (log as f32 - 19.0).exp2();
                model.pairs[usize::from(alphabet.class(a))][usize::from(alphabet.class(b))] += share;
            }
        }
        for a in 0..CLASSES {
            let all: f32 = model.pairs[a].iter().sum();
            model.follows[a] = model.pairs[a].map(|share| share / all.max(f32::MIN_POSITIVE));
        }
        model
    }
}

/// The windows chosen so far: how many have each pair, and what that lets through.
struct Cover {
    model: &'static Model,
    heads: [[u32; CLASSES]; CLASSES],
    tails: [[u32; CLASSES]; CLASSES],
    /// Windows of two bytes, by their second.
    ends: [u32; CLASSES],
    /// Share of positions that come to each class through `heads`.
    come: [f32; CLASSES],
    /// Chance to go on from each class through `tails`.
    go: [f32; CLASSES],
}

impl Cover {
    fn new(alphabet: Alphabet) -> Box<Cover> {
        Box::new(Cover {
            model: &MODELS[alphabet as usize],
            heads: [[0; CLASSES]; CLASSES],
            tails: [[0; CLASSES]; CLASSES],
            ends: [0; CLASSES],
            come: [0.0; CLASSES],
            go: [0.0; CLASSES],
        })
    }

    fn goes(&self, class: usize) -> f32 {
        if self.ends[class] > 0 { 1.0 } else { self.go[class] }
    }

    /// What the window would let through beyond what others do, and what comparing it costs.
    fn more(&self, window: &[usize]) -> f32 {
        let [a, b] = [window[0], window[1]];
        let come = if self.heads[a][b] == 0 { self.model.pairs[a][b] } else { 0.0 };
        let go = match window.get(2) {
            Some(&c) if self.tails[b][c] > 0 => 0.0,
            Some(&c) => self.model.follows[b][c],
            None => 1.0,
        };
        let goes = self.goes(b);
        let passes = (self.come[b] + come) * (goes + go).min(1.0) - self.come[b] * goes;
        let chance = window[1..].windows(2).map(|pair| self.model.follows[pair[0]][pair[1]]).product::<f32>();
        passes + COMPARING * self.model.pairs[a][b] * chance
    }

    fn place(&mut self, window: &[usize]) {
        let [a, b] = [window[0], window[1]];
        if self.heads[a][b] == 0 {
            self.come[b] += self.model.pairs[a][b];
        }
        self.heads[a][b] += 1;
        match window.get(2) {
            Some(&c) => {
                if self.tails[b][c] == 0 {
                    self.go[b] += self.model.follows[b][c];
                }
                self.tails[b][c] += 1;
            }
            None => self.ends[b] += 1,
        }
    }

    fn take_up(&mut self, window: &[usize]) {
        let [a, b] = [window[0], window[1]];
        self.heads[a][b] -= 1;
        if self.heads[a][b] == 0 {
            self.come[b] -= self.model.pairs[a][b];
        }
        match window.get(2) {
            Some(&c) => {
                self.tails[b][c] -= 1;
                if self.tails[b][c] == 0 {
                    self.go[b] -= self.model.follows[b][c];
                }
            }
            None => self.ends[b] -= 1,
        }
    }
}

/// That of text, and the other.
pub(super) fn alphabets(narrow: bool) -> [Alphabet; 2] {
    match narrow {
        true => [Alphabet::NarrowText, Alphabet::NarrowWide],
        false => [Alphabet::Text, Alphabet::Wide],
    }
}

/// The window of each pattern. Patterns of two bytes and more.
pub(super) fn choose<'p>(patterns: &[&'p [u8]], narrow: bool) -> Vec<Window<'p>> {
    let both = alphabets(narrow);
    let has_text = |pattern: &[u8]| offsets(pattern, both[0]).next().is_some();
    // A second alphabet is looked up for all of a block: only where it must be. Where registers are narrow it costs more than what
    // one for all lets through.
    let alphabets = match narrow {
        _ if patterns.iter().all(|p| has_text(p)) => &both[..1],
        true => &both[1..],
        false => &both,
    };
    let mut choices: Vec<Choice<'p>> =
        patterns.iter().map(|pattern| Choice::new(pattern, alphabets, both)).collect();
    let mut order: Vec<usize> = (0..patterns.len()).collect();
    order.sort_by_key(|&n| choices[n].windows.len());
    // Patterns under each window, by a hash of it.
    let mut taken = vec![0u16; 1 << COUNTERS];
    let mut covers = both.map(Cover::new);
    for round in 0..ROUNDS {
        for &n in &order {
            let Choice { windows, classes, chosen } = &mut choices[n];
            let of = |window: &Window<'_>| {
                let classes = &classes[usize::from(window.alphabet.is_wide())];
                &classes[window.at..REACH.min(window.pattern.len()).min(window.at + WINDOW)]
            };
            if let Some(window) = windows.get(*chosen).filter(|_| round > 0) {
                covers[usize::from(window.alphabet.is_wide())].take_up(of(window));
                let taken = &mut taken[counter(window.bytes())];
                *taken = taken.saturating_sub(1);
            }
            let more = |window: &Window<'_>| {
                let runs = window.asks_for_runs().map_or(0.0, |_| RUNS);
                covers[usize::from(window.alphabet.is_wide())].more(of(window))
                    + runs
                    + CROWD * f32::from(taken[counter(window.bytes())])
            };
            let costs = windows.iter().map(more).enumerate();
            *chosen = costs.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(best, _)| best);
            if let Some(window) = windows.get(*chosen) {
                covers[usize::from(window.alphabet.is_wide())].place(of(window));
                let taken = &mut taken[counter(window.bytes())];
                *taken = taken.saturating_add(1);
            }
        }
    }
    choices.iter().filter_map(|choice| choice.windows.get(choice.chosen)).copied().collect()
}

/// What a pattern may be filed under.
struct Choice<'p> {
    windows: Vec<Window<'p>>,
    /// The classes of the bytes within reach, for each alphabet.
    classes: [[usize; REACH]; 2],
    chosen: usize,
}

impl<'p> Choice<'p> {
    fn new(pattern: &'p [u8], alphabets: &[Alphabet], both: [Alphabet; 2]) -> Choice<'p> {
        let of =
            |&alphabet: &Alphabet| offsets(pattern, alphabet).map(move |at| Window { pattern, alphabet, at });
        let classes = both.map(|alphabet| {
            std::array::from_fn(|at| {
                pattern.get(at).map_or(0, |&byte| usize::from(alphabet.class(byte) & 63))
            })
        });
        Choice { windows: alphabets.iter().flat_map(of).collect(), classes, chosen: 0 }
    }
}

/// Where the pattern's windows stand that are of the alphabet. Only one that is shorter has a short window.
fn offsets(pattern: &[u8], alphabet: Alphabet) -> impl Iterator<Item = usize> {
    let last = pattern.len().min(REACH).saturating_sub(WINDOW);
    (0..=last).filter(move |&at| is_offset(pattern, alphabet, at))
}

/// Whether a window of the alphabet stands there.
pub(super) fn is_offset(pattern: &[u8], alphabet: Alphabet, at: usize) -> bool {
    at <= pattern.len().min(REACH).saturating_sub(WINDOW) && alphabet.has(window(pattern, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_window_is_not_the_common_prefix() {
        assert!(choose(&[b"the zqxj"], false)[0].at > 2);
        // Where digits share classes with the last letters less is sure.
        assert!(choose(&[b"the zqxj"], true)[0].at > 0);
    }

    #[test]
    fn windows_are_whole_where_the_pattern_is_and_stay_within_reach() {
        let mut long = [b'e'; 40];
        long[20..24].copy_from_slice(b"~~~~");
        for narrow in [false, true] {
            for pattern in [&long[..], b"abcdefghijklmnopqrstuvwxyz", b"abcd", b"\0\x01\0\x01\0\x01"] {
                let window = choose(&[pattern], narrow)[0];
                assert!(window.bytes().len() == WINDOW && window.at + WINDOW <= REACH, "{window:?}");
            }
            assert_eq!(choose(&[b"ab"], narrow)[0].bytes(), b"ab");
        }
    }

    #[test]
    fn a_set_of_text_has_one_alphabet() {
        let text: [&[u8]; 3] = [b"user-agent", b"zqxj", b"...."];
        assert!(choose(&text, false).iter().all(|w| w.alphabet == Alphabet::Text));
        assert!(choose(&text, true).iter().all(|w| w.alphabet == Alphabet::NarrowText));
        let mixed: [&[u8]; 2] = [b"user-agent", b"\x90\xff\x90\xfe"];
        let alphabets = |narrow| choose(&mixed, narrow).into_iter().map(|w| w.alphabet).collect::<Vec<_>>();
        assert_eq!(alphabets(false), [Alphabet::Text, Alphabet::Wide]);
        assert_eq!(alphabets(true), [Alphabet::NarrowWide; 2]);
    }

    #[test]
    fn a_run_is_left_for_another_window_unless_the_pattern_is_nothing_else() {
        for pattern in [&b"\0\0\0\0\0\0\x01\0"[..], b"aaaaaaaaab"] {
            assert_eq!(choose(&[pattern], false)[0].asks_for_runs(), None, "{pattern:?}");
        }
        assert_eq!(choose(&[&[b'a'; 30]], false)[0].asks_for_runs(), None);
        let late = [&[b'a'; 30][..], b"b"].concat();
        assert_eq!(choose(&[&late], false)[0].asks_for_runs(), Some(b'a'));
    }

    #[test]
    fn a_crowded_window_is_left_for_another() {
        let patterns: Vec<Vec<u8>> = (0..200u32).map(|n| format!("qqzz{n:03}e").into_bytes()).collect();
        let patterns: Vec<&[u8]> = patterns.iter().map(Vec::as_slice).collect();
        let alike = |windows: Vec<Window<'_>>| windows.iter().filter(|w| w.bytes() == b"qqzz").count();
        assert!(alike(choose(&patterns, false)) < 100);
    }
}

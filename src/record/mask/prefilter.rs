//! A filter that skips text without secrets.
//!
//! It reads the text as it is. Each form contains a *probe*: the beginning of a word, as long for
//! all forms. Wherever a probe of m bytes occurs, one of the positions 0, s, 2s, … of the text, with
//! s = m − 3, is at the first byte of a *gram* of 4 bytes of the probe. Only the grams at these
//! positions are looked up:
//!
//! ```text
//! text       ........probe.....          m = 5, s = 2
//! positions  ^ ^ ^ ^ ^ ^ ^ ^             "prob" at 8 is a gram of the probe
//! ```
//!
//! Other text may have the same gram, or one with the same hash. A form never passes unseen.

use super::forms::is_whitespace;

const GRAM_BYTES: usize = 4;
/// The maximum length of a probe. Longer probes would make the filter faster, but have more grams.
const MAX_PROBE_BYTES: usize = 16;
/// The number of bits in the table per gram, so that few other grams share a bit.
const BITS_PER_GRAM: usize = 32;
const MAX_TABLE_BITS: usize = 1 << 20;

/// A filter for the positions at which a secret may occur.
pub struct Prefilter {
    /// A bit for each hash of a gram.
    table: Vec<u64>,
    /// The number of bits of a hash.
    hash_bits: u32,
    /// The distance of the positions, in bytes.
    stride: usize,
    /// The maximum number of normalized bytes of a form in front of its probe.
    before_probe: usize,
}

impl Prefilter {
    /// Creates the prefilter of these forms. Returns `None` if one of them has only short words.
    pub fn new<'a>(forms: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Self> {
        let longest_words = forms.clone().filter_map(|form| words(form).map(<[u8]>::len).max());
        let probe_bytes = longest_words.min()?.min(MAX_PROBE_BYTES);
        let stride = (probe_bytes + 1).checked_sub(GRAM_BYTES).filter(|stride| *stride > 0)?;
        let (mut grams, mut before_probe) = (Vec::new(), 0);
        for form in forms {
            let mut before = 0;
            for word in words(form) {
                if let Some(probe) = word.get(..probe_bytes) {
                    grams.extend(probe.windows(GRAM_BYTES));
                    break;
                }
                before += word.len() + 1;
            }
            before_probe = before_probe.max(before);
        }
        let bits = (grams.len() * BITS_PER_GRAM).next_power_of_two().clamp(64, MAX_TABLE_BITS);
        let table = vec![0; bits / 64];
        let mut filter = Self { table, hash_bits: bits.ilog2(), stride, before_probe };
        for gram in grams {
            let (index, bit) = filter.place(gram);
            if let Some(place) = filter.table.get_mut(index) {
                *place |= bit;
            }
        }
        Some(filter)
    }

    /// Returns the place of a gram in the table.
    fn place(&self, gram: &[u8]) -> (usize, u64) {
        let gram = u32::from_ne_bytes(gram.try_into().unwrap_or_default());
        let hash = gram.wrapping_mul(0x9E37_79B1) >> (u32::BITS - self.hash_bits);
        (hash as usize / 64, 1 << (hash % 64))
    }

    /// Returns the first position from `from` on that may be a part of a probe.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut grams = text.get(from..)?.windows(GRAM_BYTES).step_by(self.stride);
        let found = grams.position(|gram| {
            let (index, bit) = self.place(gram);
            self.table.get(index).is_some_and(|place| place & bit != 0)
        })?;
        Some(from + found * self.stride)
    }

    /// Returns the earliest position, from `from` on, at which a form with a probe around the
    /// position `found` may begin.
    pub fn earliest(&self, text: &[u8], from: usize, found: usize) -> usize {
        back(text, from, found, self.before_probe + self.stride - 1)
    }

    /// Returns the earliest position, from `from` on, at which a form may begin that is not
    /// complete and whose probe is not complete either, so that it was not found.
    pub fn unfinished(&self, text: &[u8], from: usize) -> usize {
        back(text, from, text.len(), self.max_unfinished())
    }

    /// Returns the maximum length of the beginning of a form without its whole probe, in normalized
    /// bytes.
    pub fn max_unfinished(&self) -> usize {
        self.before_probe + self.stride + GRAM_BYTES - 2
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b' ')
}

/// Returns the position that is `count` normalized bytes in front of `at`, or else `from`.
fn back(text: &[u8], from: usize, at: usize, mut count: usize) -> usize {
    let mut before = text.get(from..at).unwrap_or_default();
    while let [rest @ .., last] = before
        && count > 0
    {
        let is_inside_run = is_whitespace(*last) && rest.last().is_some_and(|b| is_whitespace(*b));
        count -= usize::from(!is_inside_run);
        before = rest;
    }
    from + before.len()
}

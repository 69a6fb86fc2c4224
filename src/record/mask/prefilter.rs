//! A filter that skips text without secrets.
//!
//! It reads the text as it is, at positions that are s bytes apart. Each form contains a *probe*: s
//! *grams* of 4 bytes, one at each of s positions in a row. So wherever a form occurs, one of the
//! positions that are read is at a gram of its probe:
//!
//! ```text
//! text       ........a probe.....        s = 2
//! positions  ^ ^ ^ ^ ^ ^ ^ ^             "prob" at 10 is a gram of the probe
//! ```
//!
//! A gram contains no whitespace. It is not one byte four times, since rulers (`-----`) are
//! frequent. The table of grams is a set of hashes, so other text may look like a gram, but no form
//! is missed.

use super::forms::is_whitespace;

/// The length of a gram.
const GRAM_BYTES: usize = 4;
/// The maximum of s. With a larger one, the filter would be faster, but have more grams.
const MAX_STRIDE: usize = 13;
/// The number of bits of a hash. The table has 128 KiB, so that few other grams share a bit even if
/// there are thousands.
const HASH_BITS: u32 = 20;
/// The number of words of 64 bits in the table.
const TABLE_WORDS: usize = 1 << (HASH_BITS - u64::BITS.ilog2());
/// The number of positions that are read before the result is checked. This is faster than a check
/// after each.
const BLOCK: usize = 8;

/// A filter for the positions at which a secret may occur.
pub struct Prefilter {
    /// A bit for each hash of a gram.
    table: Box<[u64; TABLE_WORDS]>,
    /// The distance of the positions, and the number of grams of a probe.
    stride: usize,
    /// The maximum number of normalized bytes of a form before its probe.
    before_probe: usize,
}

impl Prefilter {
    /// Creates the filter of these forms. Returns `None` if one of them contains no gram.
    pub fn new<'a>(forms: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Self> {
        let stride = forms.clone().map(max_stride).min().filter(|stride| *stride > 0)?;
        let (mut grams, mut before_probe) = (Vec::new(), 0);
        for form in forms {
            let before = grams_in_a_row(form).position(|count| count == stride)? + 1 - stride;
            grams.extend(form.windows(GRAM_BYTES).skip(before).take(stride));
            before_probe = before_probe.max(before);
        }
        let mut table: Box<[u64; TABLE_WORDS]> = vec![0; TABLE_WORDS].try_into().ok()?;
        for gram in grams {
            let (index, bit) = place(gram);
            if let Some(place) = table.get_mut(index) {
                *place |= 1 << bit;
            }
        }
        Some(Self { table, stride, before_probe })
    }

    /// Returns 1 if there may be a gram at this position, or else 0.
    fn gram_at(&self, text: &[u8], at: usize) -> u64 {
        let Some(gram) = text.get(at..at + GRAM_BYTES) else { return 0 };
        let (index, bit) = place(gram);
        self.table.get(index).map_or(0, |place| place >> bit & 1)
    }

    /// Returns the first position from `from` on that may be in a probe.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        while at + GRAM_BYTES <= text.len() {
            at = self.skip_blocks(text, at);
            for _ in 0..BLOCK {
                if self.is_in_probe(text, at) {
                    return Some(at);
                }
                at += self.stride;
            }
        }
        None
    }

    /// Returns the first position whose block may contain a gram or is not complete.
    fn skip_blocks(&self, text: &[u8], mut at: usize) -> usize {
        let stride = self.stride;
        while let Some(block) = text.get(at..at + BLOCK * stride + GRAM_BYTES)
            && (0..BLOCK).fold(0, |found, index| found | self.gram_at(block, index * stride)) == 0
        {
            at += BLOCK * stride;
        }
        at
    }

    /// Returns true if there is a gram at the position and another one half a stride before or
    /// after it. One of these two is in the same probe if the first is in a probe.
    fn is_in_probe(&self, text: &[u8], at: usize) -> bool {
        let half = self.stride / 2;
        let before = || at.checked_sub(half).map_or(0, |before| self.gram_at(text, before));
        self.gram_at(text, at) == 1 && (self.gram_at(text, at + half) == 1 || before() == 1)
    }

    /// Returns the earliest position, from `from` on, at which a form with a probe around the
    /// position `found` may begin.
    pub fn earliest(&self, text: &[u8], from: usize, found: usize) -> usize {
        back(text, from, found, self.before_probe + self.stride - 1)
    }

    /// Returns the earliest position, from `from` on, at which a form may begin whose probe is not
    /// complete at the end of the text, so that it is not found.
    pub fn unfinished(&self, text: &[u8], from: usize) -> usize {
        back(text, from, text.len(), self.before_probe + self.stride + GRAM_BYTES - 2)
    }
}

/// Returns the index of the word and of the bit of a gram in the table.
fn place(gram: &[u8]) -> (usize, u32) {
    let gram = u32::from_ne_bytes(gram.try_into().unwrap_or_default());
    let hash = gram.wrapping_mul(0x9E37_79B1) >> (u32::BITS - HASH_BITS);
    (hash as usize / 64, hash % 64)
}

/// Returns, for each position of a form, the number of grams in a row up to the one that begins
/// there.
fn grams_in_a_row(form: &[u8]) -> impl Iterator<Item = usize> {
    form.windows(GRAM_BYTES).scan(0, |count, gram| {
        let is_ruler = gram.iter().all(|byte| gram.first() == Some(byte));
        *count = if gram.contains(&b' ') || is_ruler { 0 } else { *count + 1 };
        Some(*count)
    })
}

/// Returns the number of grams of the longest possible probe of a form.
fn max_stride(form: &[u8]) -> usize {
    grams_in_a_row(form).take_while(|count| *count <= MAX_STRIDE).max().unwrap_or(0)
}

/// Returns the position that is `count` normalized bytes before `at`, or else `from`.
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

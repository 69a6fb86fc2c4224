//! Masking: the result does not depend on the split of the text, and no value remains in it.
//!
//! The first line contains the secrets, separated by `|`. The first byte of the second line is the
//! size of the pieces. The rest is the text.

use rundown::record::{Masker, Secrets};

/// Masks the text as a whole, in pieces and byte by byte.
pub fn mask(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(values), Some([size, text @ ..])) = (parts.next(), parts.next()) else { return };
    let values: Vec<String> = String::from_utf8_lossy(values)
        .split('|')
        .map(|value| value.replace("\\n", "\n").replace('\0', ""))
        .collect();
    let named = values.iter().enumerate();
    let environment = named.map(|(n, value)| (format!("{n}_TOKEN").into(), value.into()));
    let (secrets, _) = Secrets::find(&[], true, environment);
    let Some(mut masker) = secrets.masker() else { return };
    let whole = masked(&mut masker, text, text.len());
    assert_eq!(masked(&mut masker, text, usize::from(*size)), whole);
    assert_eq!(masked(&mut masker, text, 1), whole);
    for value in values.iter().map(|value| value.trim().as_bytes()) {
        // A replacement and the text beside it may happen to form another value.
        let is_in_names = value.iter().any(|byte| b"[0123456789_TOKEN]".contains(byte));
        if value.len() >= 6 && !is_in_names {
            assert!(!whole.windows(value.len()).any(|part| part == value));
        }
    }
}

fn masked(masker: &mut Masker, text: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in text.chunks(size.max(1)) {
        masker.push(piece, |bytes| out.extend_from_slice(bytes));
    }
    masker.finish(|bytes| out.extend_from_slice(bytes));
    out
}

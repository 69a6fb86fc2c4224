//! Logs compressed with zstd in independent frames, with the seek table of the zstd seekable format
//! at the end. `zstd -d` reads such a file; rundown reads only the frames that contain a row.
//!
//! ```text
//! | frame: 512 KiB of log | frame | … | frame | seek table: the two sizes of each frame |
//! ```
//!
//! Format: <https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md>.
//!
//! A compressed log may be damaged or hostile. The seek table must fit its file exactly, a frame
//! takes at most [`MAX_FRAME_BYTES`] of memory, and a frame with other content than the table
//! states is an error.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use zeekstd::{BytesWrapper, SeekTable};
use zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name};

use super::source::Source;

/// The number of bytes of the log per frame that we write. Smaller frames compress less, larger
/// ones cost more per row that is read.
const FRAME_BYTES: usize = 512 << 10;

/// The number of bytes of a log to write at once, so that all threads have work.
pub(super) const BATCH_BYTES: usize = 16 * FRAME_BYTES;

/// The largest frame that is read, in bytes of the log. Other programs write frames of other sizes.
const MAX_FRAME_BYTES: u64 = 8 << 20;

/// The level of compression: the default of `zstd`.
const LEVEL: i32 = 3;

/// The size of the end of a seek table, which contains its number of frames: see the format.
const FOOTER_BYTES: usize = 9;

/// The first bytes of the end of a seek table that are not its number of frames and its flags.
const FOOTER_MAGIC: [u8; 4] = 0x8F92_EAB1_u32.to_le_bytes();

/// The size of the header of the seek table, which is a frame that `zstd -d` skips.
const TABLE_HEADER_BYTES: u64 = 8;

/// The number of decompressed frames that are kept: those around a row, for two readers.
const KEPT_FRAMES: usize = 4;

/// A log that is compressed in frames.
#[derive(Debug)]
pub(super) struct Seekable {
    compressed: Box<dyn Source>,
    /// The bytes of the compressed log in `compressed`.
    range: Range<u64>,
    table: SeekTable,
    /// Frames by number, from the least to the most recently used.
    kept: Mutex<Vec<(u32, Arc<Vec<u8>>)>>,
}

impl Seekable {
    /// Opens a compressed log in a range of a source. Reads its seek table.
    ///
    /// # Errors
    /// If the range cannot be read, or is not a log in this format.
    pub(super) fn open(compressed: Box<dyn Source>, range: Range<u64>) -> io::Result<Self> {
        let table = reread(&*compressed, || read_table(&*compressed, &range))?;
        Ok(Self { compressed, range, table, kept: Mutex::default() })
    }

    /// Returns the frame that contains an offset of the log.
    fn frame_at(&self, offset: u64) -> io::Result<(u32, Arc<Vec<u8>>)> {
        let number = self.table.frame_index_decomp(offset);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(kept, _)| *kept == number) {
            let frame = kept.remove(at);
            kept.push(frame.clone());
            return Ok(frame);
        }
        // Decompress without the lock: another thread may need another frame.
        drop(kept);
        let frame = (number, Arc::new(reread(&*self.compressed, || self.read_frame(number))?));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_FRAMES {
            kept.remove(0);
        }
        kept.push(frame.clone());
        Ok(frame)
    }

    fn read_frame(&self, number: u32) -> io::Result<Vec<u8>> {
        let sizes = (self.table.frame_size_comp(number), self.table.frame_size_decomp(number));
        let (Ok(packed), Ok(bytes), Ok(start)) =
            (sizes.0, sizes.1, self.table.frame_start_comp(number))
        else {
            return Err(damaged("a frame is not in the seek table"));
        };
        if bytes > MAX_FRAME_BYTES || packed > compress_bound(usize_from(MAX_FRAME_BYTES)) as u64 {
            return Err(damaged("a frame of the compressed log is larger than 8 MiB"));
        }
        let mut compressed = vec![0; usize_from(packed)];
        read_exact(&*self.compressed, self.range.start.saturating_add(start), &mut compressed)?;
        let mut frame = Vec::with_capacity(usize_from(bytes));
        let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        let done = context.decompress(&mut frame, &compressed);
        let len = done.map_err(|code| damaged(get_error_name(code)))?;
        if len as u64 != bytes {
            return Err(damaged("a frame of the compressed log has another size than stated"));
        }
        Ok(frame)
    }
}

impl Source for Seekable {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if offset >= self.table.size_decomp() || into.is_empty() {
            return Ok(0);
        }
        let (number, frame) = self.frame_at(offset)?;
        let start = self.table.frame_start_decomp(number).unwrap_or(u64::MAX);
        let within = frame.get(usize_from(offset.saturating_sub(start))..).unwrap_or_default();
        let len = within.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..len), within.get(..len)) {
            to.copy_from_slice(from);
        }
        Ok(len)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.table.size_decomp())
    }
}

/// Returns the size of the seek table of a log that we compressed, in bytes.
#[cfg(feature = "remote")]
pub(super) const fn table_bytes(log_bytes: u64) -> u64 {
    let frames = log_bytes.div_ceil(FRAME_BYTES as u64);
    frames.saturating_mul(8).saturating_add(TABLE_HEADER_BYTES.saturating_add(FOOTER_BYTES as u64))
}

/// Reads the seek table at the end of a range, and checks that it describes exactly this range.
fn read_table(compressed: &dyn Source, range: &Range<u64>) -> io::Result<SeekTable> {
    let mut footer = [0; FOOTER_BYTES];
    let footer_at = range.end.checked_sub(FOOTER_BYTES as u64).filter(|at| *at >= range.start);
    read_exact(compressed, footer_at.ok_or_else(no_table)?, &mut footer)?;
    let [f0, f1, f2, f3, flags, magic @ ..] = footer;
    if magic != FOOTER_MAGIC {
        return Err(no_table());
    }
    let frames = u64::from(u32::from_le_bytes([f0, f1, f2, f3]));
    let entry_bytes = if flags & 0x80 == 0 { 8 } else { 12 };
    let table_bytes = frames
        .saturating_mul(entry_bytes)
        .saturating_add(TABLE_HEADER_BYTES)
        .saturating_add(FOOTER_BYTES as u64);
    // Checked before the table is read, which takes memory for this number of frames.
    let table_at = range.end.checked_sub(table_bytes).filter(|at| *at >= range.start);
    let table_at = table_at.ok_or_else(no_table)?;
    let mut bytes = vec![0; usize_from(table_bytes)];
    read_exact(compressed, table_at, &mut bytes)?;
    let table = SeekTable::from_seekable(&mut BytesWrapper::new(&bytes)).map_err(|_| no_table())?;
    if table.size_comp() != table_at.saturating_sub(range.start) {
        return Err(damaged("the seek table of the compressed log does not fit its size"));
    }
    // An empty frame would be found in place of the one at the same offset.
    if (0..table.num_frames()).any(|frame| !matches!(table.frame_size_decomp(frame), Ok(1..))) {
        return Err(damaged("the compressed log has an empty frame"));
    }
    Ok(table)
}

fn no_table() -> io::Error {
    damaged("the compressed log has no seek table")
}

/// Reads a part of a source, and reads it once more if the source has kept damaged bytes.
fn reread<T>(source: &dyn Source, read: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let is_damage = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
    };
    match read() {
        Err(error) if is_damage(&error) && source.forget() => read(),
        read => read,
    }
}

/// Reads exactly as many bytes as fit.
pub(super) fn read_exact(source: &dyn Source, offset: u64, into: &mut [u8]) -> io::Result<()> {
    let mut filled = 0_usize;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read_at(offset.saturating_add(filled as u64), rest) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(damaged("the compressed log ends early")),
            read => filled = filled.saturating_add(read?),
        }
    }
    Ok(())
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Converts a number of bytes that a limit bounds.
fn usize_from(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A writer of a compressed log. It compresses several frames at the same time; the output does not
/// depend on their number.
pub(super) struct SeekableWriter<W> {
    out: W,
    table: SeekTable,
    /// Bytes of the log that are not compressed yet.
    pending: Vec<u8>,
    /// A context and a buffer per thread.
    workers: Vec<Worker>,
}

/// A thread's context, and its last compressed frames with the size of each.
struct Worker {
    context: CCtx<'static>,
    frames: Vec<(Vec<u8>, usize)>,
}

impl<W: Write> SeekableWriter<W> {
    /// Creates a writer to `out`.
    ///
    /// # Errors
    /// If there is no memory for compression.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let workers = vec![Worker::new()?];
        Ok(Self { out, table: SeekTable::new(), pending: Vec::new(), workers })
    }

    /// Adds the next bytes of the log. Calls `beside` once while they are compressed.
    ///
    /// # Errors
    /// If the output cannot be written, or a log has more frames than the format allows.
    pub(super) fn write(&mut self, bytes: &[u8], beside: impl FnOnce()) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        let rest = self.pending.len() % FRAME_BYTES;
        let whole = self.pending.len().saturating_sub(rest);
        let mut pending = std::mem::take(&mut self.pending);
        self.compress(pending.get(..whole).unwrap_or_default(), beside)?;
        pending.drain(..whole);
        self.pending = pending;
        Ok(())
    }

    /// Writes the rest of the log and the seek table, and returns the output.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) fn finish(mut self) -> io::Result<W> {
        let pending = std::mem::take(&mut self.pending);
        self.compress(&pending, || ())?;
        let mut table = self.table.into_serializer();
        let mut bytes = vec![0; table.encoded_len()];
        let len = table.write_into(&mut bytes);
        self.out.write_all(bytes.get(..len).unwrap_or_default())?;
        Ok(self.out)
    }

    /// Compresses and writes frames; the last one may be shorter.
    fn compress(&mut self, bytes: &[u8], beside: impl FnOnce()) -> io::Result<()> {
        let frames: Vec<&[u8]> = bytes.chunks(FRAME_BYTES).collect();
        // Most logs have one frame, for which no thread is needed.
        if let ([_] | [], Some(worker)) = (&frames[..], self.workers.first_mut()) {
            worker.compress(&frames)?;
            beside();
            return self.write_frames();
        }
        while self.workers.len() < frames.len().min(threads()) {
            self.workers.push(Worker::new()?);
        }
        let share = frames.len().div_ceil(self.workers.len()).max(1);
        thread::scope(|scope| {
            let parts = self.workers.iter_mut().zip(frames.chunks(share));
            let threads: Vec<_> =
                parts.map(|(worker, part)| scope.spawn(|| worker.compress(part))).collect();
            beside();
            let failed = || Err(io::Error::other("a thread that compresses has panicked"));
            threads.into_iter().try_for_each(|done| done.join().unwrap_or_else(|_| failed()))
        })?;
        self.write_frames()
    }

    /// Writes the frames that were compressed.
    fn write_frames(&mut self) -> io::Result<()> {
        for (frame, bytes) in self.workers.iter_mut().flat_map(|worker| worker.frames.drain(..)) {
            self.out.write_all(&frame)?;
            let sizes = u32::try_from(frame.len()).ok().zip(u32::try_from(bytes).ok());
            let (packed, bytes) = sizes.ok_or_else(|| io::Error::other("a frame is too large"))?;
            self.table.log_frame(packed, bytes).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Returns the number of threads that compress. It is determined once, because that takes as
/// long as the compression of a small log.
fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from).min(4))
}

impl Worker {
    fn new() -> io::Result<Self> {
        let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        let failed = |code| io::Error::other(get_error_name(code));
        context.set_parameter(CParameter::CompressionLevel(LEVEL)).map_err(failed)?;
        context.set_parameter(CParameter::ChecksumFlag(true)).map_err(failed)?;
        Ok(Self { context, frames: Vec::new() })
    }

    fn compress(&mut self, frames: &[&[u8]]) -> io::Result<()> {
        for bytes in frames {
            let mut frame = Vec::with_capacity(compress_bound(bytes.len()));
            let done = self.context.compress2(&mut frame, bytes);
            done.map_err(|code| io::Error::other(get_error_name(code)))?;
            self.frames.push((frame, bytes.len()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::process::{Command, Stdio};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn compressed(log: &[u8]) -> Vec<u8> {
        let mut writer = SeekableWriter::new(Vec::new()).unwrap();
        writer.write(log, || ()).unwrap();
        writer.finish().unwrap()
    }

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn open(bytes: &[u8]) -> io::Result<Seekable> {
        Seekable::open(Box::new(file_of(bytes)), 0..bytes.len() as u64)
    }

    fn all(source: &impl Source) -> io::Result<Vec<u8>> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 100_003]);
        loop {
            match source.read_at(all.len() as u64, &mut buffer)? {
                0 => return Ok(all),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    }

    fn log_of(bytes: usize) -> Vec<u8> {
        let line = |n| format!("2026-01-02T03:04:05.{:09}Z stdout F row {n}\n", n % 1_000_000_000);
        let mut log: Vec<u8> = (0..bytes / 40).flat_map(|n| line(n).into_bytes()).collect();
        log.truncate(bytes);
        log
    }

    #[test]
    fn a_log_is_the_same_after_compression() {
        for bytes in [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 5 * FRAME_BYTES + 7] {
            let log = log_of(bytes);
            let source = open(&compressed(&log)).unwrap();
            assert_eq!(source.size().unwrap(), log.len() as u64);
            assert!(all(&source).unwrap() == log, "{bytes} bytes");
        }
    }

    #[test]
    fn the_output_does_not_depend_on_the_pieces_that_are_written() {
        let log = log_of(3 * FRAME_BYTES);
        let mut writer = SeekableWriter::new(Vec::new()).unwrap();
        for piece in log.chunks(77_777) {
            writer.write(piece, || ()).unwrap();
        }
        assert!(writer.finish().unwrap() == compressed(&log));
    }

    #[test]
    fn other_programs_read_the_log() {
        let log = log_of(2 * FRAME_BYTES);
        let mut zstd = Command::new("zstd");
        zstd.arg("-dc").stdin(file_at_start(&compressed(&log))).stdout(Stdio::piped());
        // A machine may not have the program.
        let Ok(mut child) = zstd.spawn() else { return };
        let mut read = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut read).unwrap();
        assert!(child.wait().unwrap().success() && read == log);
    }

    fn file_at_start(bytes: &[u8]) -> File {
        use std::io::Seek;
        let mut file = file_of(bytes);
        file.rewind().unwrap();
        file
    }

    #[test]
    fn only_the_rows_of_a_damaged_frame_are_lost() {
        let log = log_of(3 * FRAME_BYTES);
        let mut bytes = compressed(&log);
        let second = open(&bytes).unwrap().table.frame_start_comp(1).unwrap();
        bytes[usize_from(second) + 100] ^= 1;
        let source = open(&bytes).unwrap();
        let mut buffer = vec![0; 1000];
        for (at, is_read) in [(0, true), (FRAME_BYTES, false), (2 * FRAME_BYTES, true)] {
            let read = source.read_at(at as u64, &mut buffer);
            assert_eq!(read.is_ok(), is_read, "{read:?}");
            assert!(!is_read || buffer == log[at..at + 1000]);
        }
    }

    #[test]
    fn a_seek_table_that_claims_more_than_the_file_is_refused() {
        let mut bytes = compressed(b"hello\n");
        let at = bytes.len() - 9;
        bytes[at..at + 4].copy_from_slice(&0x0700_0000_u32.to_le_bytes());
        assert_eq!(open(&bytes).unwrap_err().to_string(), "the compressed log has no seek table");
        assert!(open(b"").is_err());
        assert!(open(&log_of(100)).is_err());
    }

    #[test]
    fn a_decompression_bomb_is_refused() {
        let zeros = vec![0; 16 << 20];
        let mut worker = Worker::new().unwrap();
        worker.compress(&[&zeros]).unwrap();
        let (frame, _) = worker.frames.remove(0);
        for (claimed, why) in [(16 << 20, "larger than 8 MiB"), (1000, "Destination buffer")] {
            let mut table = SeekTable::new();
            table.log_frame(u32::try_from(frame.len()).unwrap(), claimed).unwrap();
            let mut table = table.into_serializer();
            let mut end = vec![0; table.encoded_len()];
            table.write_into(&mut end);
            let error = all(&open(&[frame.clone(), end].concat()).unwrap()).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn damaged_bytes_are_an_error_or_the_same_log(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            len in any::<prop::sample::Index>(),
            is_cut in any::<bool>(),
        ) {
            let log = log_of(FRAME_BYTES + 5000);
            let mut bytes = compressed(&log);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if is_cut {
                bytes.truncate(len.index(bytes.len()));
            }
            if let Ok(read) = open(&bytes).and_then(|source| all(&source)) {
                prop_assert!(read == log);
            }
        }
    }
}

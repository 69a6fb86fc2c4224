//! Recovery of a copied database: pages from its `-wal` or `-journal` replace its own pages.
//!
//! SQLite recovers only files that it can open by name and write. A private copy has no name, so
//! its pages are replaced here, by the rules of <https://www.sqlite.org/fileformat2.html> (sections
//! 3 and 4). The checks are the same as SQLite's: a broken file yields the pages before the break.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The first bytes of a `-journal`.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The first bytes of a `-wal`, without the last bit. That bit selects the byte order of the
/// checksums.
const WAL_MAGIC: u32 = 0x377f_0682;

/// The only version of the `-wal` format.
const WAL_VERSION: u32 = 3_007_000;

/// The size that is assumed for the first header of a journal. That header contains the real size
/// of all headers.
const JOURNAL_HEADER_BYTES: u64 = 512;

/// A record count that means all records up to the end of the file.
const TO_THE_END: u32 = u32::MAX;

/// The offset of the first byte of a database on which SQLite places its locks. The page that
/// contains this byte is never used.
const LOCK_BYTE: u64 = 0x4000_0000;

/// Pages that replace those of a database.
pub(super) struct Patch {
    page_bytes: u32,
    /// The offset of each page's content in the file that it was read from, by page number from 1.
    pages: BTreeMap<u32, u64>,
    /// The size of the database after the replacement, in pages.
    pages_after: u32,
}

impl Patch {
    /// Finds the committed pages of a `-wal`; `None` if no page is committed.
    ///
    /// # Errors
    /// If the `-wal` cannot be read, or has an unsupported format.
    pub fn of_wal(wal: &mut impl Read) -> io::Result<Option<Self>> {
        let Some((header, mut sum)) = WalHeader::read(wal)? else { return Ok(None) };
        let mut page = vec![0; usize::try_from(header.page_bytes).unwrap_or_default()];
        let mut patch =
            Self { page_bytes: header.page_bytes, pages: BTreeMap::new(), pages_after: 0 };
        let mut pending = Vec::new();
        let mut at: u64 = 32;
        while let Some(frame) = read_array::<24>(wal)? {
            if !fill(wal, &mut page)? {
                break;
            }
            let (number, pages_after) = (u32_at(&frame, 0), u32_at(&frame, 4));
            let is_of_this_wal = (u32_at(&frame, 8), u32_at(&frame, 12)) == header.salts;
            sum.add(frame.first_chunk::<8>().map_or(&[], |summed| summed));
            sum.add(&page);
            if number == 0
                || !is_of_this_wal
                || sum.parts != (u32_at(&frame, 16), u32_at(&frame, 20))
            {
                break;
            }
            pending.push((number, at.saturating_add(24)));
            at = at.saturating_add(24).saturating_add(u64::from(header.page_bytes));
            if pages_after > 0 {
                patch.pages.extend(pending.drain(..));
                patch.pages_after = pages_after;
            }
        }
        Ok(Some(patch).filter(|patch| patch.pages_after > 0))
    }

    /// Finds the pages in a `-journal`, which have the content from before its transaction; `None`
    /// if the `-journal` has no valid header. Ignores the path of a super-journal in it, because
    /// that path is untrusted input.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_journal(journal: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let bytes = journal.seek(SeekFrom::End(0))?;
        let mut patch: Option<Self> = None;
        let mut at = 0;
        let mut sector_bytes = JOURNAL_HEADER_BYTES;
        while let Some(header) =
            JournalHeader::read_at(journal, next_multiple(at, sector_bytes), sector_bytes, bytes)?
        {
            let known = patch.as_ref();
            // Only the first header contains the sizes.
            let page_bytes = known.map_or(header.page_bytes, |known| known.page_bytes);
            sector_bytes = if known.is_some() { sector_bytes } else { header.sector_bytes };
            let new = Self { page_bytes, pages: BTreeMap::new(), pages_after: header.pages_before };
            let patch = patch.get_or_insert(new);
            at = header.at.saturating_add(sector_bytes);
            if !patch.take_records(journal, &header, &mut at, bytes)? {
                break;
            }
        }
        Ok(patch)
    }

    /// Reads the records after a header; returns true if another header may follow.
    fn take_records(
        &mut self,
        journal: &mut (impl Read + Seek),
        header: &JournalHeader,
        at: &mut u64,
        bytes: u64,
    ) -> io::Result<bool> {
        journal.seek(SeekFrom::Start(*at))?;
        let mut page = vec![0; usize::try_from(self.page_bytes).unwrap_or_default()];
        let record_bytes = u64::from(self.page_bytes).saturating_add(8);
        let to_the_end = bytes.saturating_sub(*at).checked_div(record_bytes).unwrap_or_default();
        let records =
            if header.records == TO_THE_END { to_the_end } else { u64::from(header.records) };
        let lock_page =
            LOCK_BYTE.checked_div(u64::from(self.page_bytes)).unwrap_or_default().saturating_add(1);
        for _ in 0..records {
            let Some(number) = read_array::<4>(journal)?.map(u32::from_be_bytes) else {
                return Ok(false);
            };
            let has_page = fill(journal, &mut page)?;
            let Some(sum) = read_array::<4>(journal)?.map(u32::from_be_bytes).filter(|_| has_page)
            else {
                return Ok(false);
            };
            let content_at = at.saturating_add(4);
            *at = at.saturating_add(record_bytes);
            if number == 0 || u64::from(number) == lock_page {
                return Ok(false);
            }
            if number > self.pages_after {
                continue;
            }
            if sum != journal_sum(header.nonce, &page) {
                return Ok(false);
            }
            self.pages.insert(number, content_at);
        }
        Ok(true)
    }

    /// Returns the size of the database after the replacement, in bytes.
    pub fn bytes_after(&self) -> u64 {
        u64::from(self.page_bytes).saturating_mul(u64::from(self.pages_after))
    }

    /// Copies the pages from the file that they were read from to a database of
    /// [`Self::bytes_after`] bytes.
    ///
    /// # Errors
    /// If one of the files cannot be read or written.
    pub fn apply(
        &self,
        from: &mut (impl Read + Seek),
        to: &mut (impl Write + Seek),
    ) -> io::Result<()> {
        let mut page = vec![0; usize::try_from(self.page_bytes).unwrap_or_default()];
        for (number, at) in self.pages.range(1..=self.pages_after) {
            from.seek(SeekFrom::Start(*at))?;
            from.read_exact(&mut page)?;
            let place =
                u64::from(number.saturating_sub(1)).saturating_mul(u64::from(self.page_bytes));
            to.seek(SeekFrom::Start(place))?;
            to.write_all(&page)?;
        }
        Ok(())
    }
}

struct WalHeader {
    page_bytes: u32,
    salts: (u32, u32),
}

impl WalHeader {
    /// Reads the header, and returns it with its checksum, from which the checksums of the frames
    /// continue; `None` if there is no valid header.
    fn read(wal: &mut impl Read) -> io::Result<Option<(Self, WalSum)>> {
        let Some(header) = read_array::<32>(wal)? else { return Ok(None) };
        let (magic, page_bytes) = (u32_at(&header, 0), u32_at(&header, 8));
        if magic & !1 != WAL_MAGIC || !is_page_size(page_bytes) {
            return Ok(None);
        }
        let mut sum = WalSum { is_big_endian: magic & 1 == 1, parts: (0, 0) };
        sum.add(header.first_chunk::<24>().map_or(&[], |summed| summed));
        if sum.parts != (u32_at(&header, 24), u32_at(&header, 28)) {
            return Ok(None);
        }
        if u32_at(&header, 4) != WAL_VERSION {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "its -wal file has an unsupported format",
            ));
        }
        let salts = (u32_at(&header, 16), u32_at(&header, 20));
        Ok(Some((Self { page_bytes, salts }, sum)))
    }
}

/// The running checksum of a `-wal`.
struct WalSum {
    is_big_endian: bool,
    parts: (u32, u32),
}

impl WalSum {
    fn add(&mut self, bytes: &[u8]) {
        let word = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (mut first, mut second) = self.parts;
        for pair in bytes.as_chunks::<8>().0 {
            if let [one, other] = *pair.as_chunks::<4>().0 {
                first = first.wrapping_add(word(one)).wrapping_add(second);
                second = second.wrapping_add(word(other)).wrapping_add(first);
            }
        }
        self.parts = (first, second);
    }
}

struct JournalHeader {
    at: u64,
    records: u32,
    nonce: u32,
    pages_before: u32,
    sector_bytes: u64,
    page_bytes: u32,
}

impl JournalHeader {
    /// Reads the header at an offset; `None` if it is not valid.
    fn read_at(
        journal: &mut (impl Read + Seek),
        at: u64,
        sector_bytes: u64,
        bytes: u64,
    ) -> io::Result<Option<Self>> {
        if at.saturating_add(sector_bytes) > bytes {
            return Ok(None);
        }
        journal.seek(SeekFrom::Start(at))?;
        let Some(header) =
            read_array::<28>(journal)?.filter(|header| header.starts_with(&JOURNAL_MAGIC))
        else {
            return Ok(None);
        };
        let (sector_bytes, page_bytes) = (u32_at(&header, 20), u32_at(&header, 24));
        let is_sector_size =
            sector_bytes.is_power_of_two() && (32..=1 << 16).contains(&sector_bytes);
        // Later headers do not repeat the sizes.
        if at == 0 && !(is_sector_size && is_page_size(page_bytes)) {
            return Ok(None);
        }
        let (records, nonce, pages_before) =
            (u32_at(&header, 8), u32_at(&header, 12), u32_at(&header, 16));
        Ok(Some(Self {
            at,
            records,
            nonce,
            pages_before,
            sector_bytes: sector_bytes.into(),
            page_bytes,
        }))
    }
}

/// Computes the checksum of a record: the nonce plus every 200th byte of the page, counted from its
/// end, without byte 0.
fn journal_sum(nonce: u32, page: &[u8]) -> u32 {
    let start = page.len().saturating_sub(200);
    let places = std::iter::successors(Some(start), |place| place.checked_sub(200))
        .take_while(|place| *place > 0);
    let bytes = places.filter_map(|place| page.get(place));
    bytes.fold(nonce, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}

fn next_multiple(at: u64, of: u64) -> u64 {
    at.checked_next_multiple_of(of).unwrap_or(u64::MAX)
}

fn is_page_size(bytes: u32) -> bool {
    bytes.is_power_of_two() && (512..=1 << 16).contains(&bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    found.map_or(0, |found| u32::from_be_bytes(*found))
}

/// Reads `N` bytes; `None` if fewer are left.
fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    Ok(fill(from, &mut bytes)?.then_some(bytes))
}

/// Fills the buffer; returns false if fewer bytes are left.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Cursor;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use rusqlite::config::DbConfig;
    use rusqlite::{Connection, OpenFlags};
    use tempfile::TempDir;

    use super::*;

    /// A database with its `-wal` or `-journal`, in the state after a crash.
    struct Crashed {
        main: Vec<u8>,
        beside: Vec<u8>,
        is_wal: bool,
    }

    impl Crashed {
        /// Writes the files to a directory, and returns their paths.
        fn write_to(&self, dir: &Path) -> (PathBuf, PathBuf) {
            let path = dir.join("x.db");
            fs::write(&path, &self.main).unwrap();
            let other = dir.join(if self.is_wal { "x.db-wal" } else { "x.db-journal" });
            fs::write(&other, &self.beside).unwrap();
            (path, other)
        }
    }

    /// A pseudo-statement for [`crashed`] that writes all modified pages to the file. SQLite also
    /// writes them if its cache is full, but that depends on the other tests, because all
    /// connections of a process share the memory of the cache.
    const FLUSH: &str = "FLUSH";

    /// Runs statements one by one, and copies the files as they are after the last one.
    fn crashed(is_wal: bool, is_synced: bool, page_bytes: u32, statements: &[String]) -> Crashed {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("x.db");
        let writer = Connection::open(&path).unwrap();
        let mode = if is_wal { "WAL" } else { "DELETE" };
        // Without syncs, a journal does not contain the number of its records.
        let setup = format!(
            "PRAGMA page_size = {page_bytes}; PRAGMA journal_mode = {mode}; \
             PRAGMA synchronous = {is_synced}"
        );
        writer
            .execute_batch(&format!(
                "{setup}; PRAGMA cache_size = 1; PRAGMA wal_autocheckpoint = 20; CREATE TABLE t(x)"
            ))
            .unwrap();
        for sql in statements {
            if sql == FLUSH {
                writer.cache_flush().unwrap();
                continue;
            }
            // A COMMIT may be outside a transaction.
            let _ = writer.execute_batch(sql);
        }
        let read =
            |suffix: &str| fs::read(dir.path().join(format!("x.db{suffix}"))).unwrap_or_default();
        Crashed { main: read(""), beside: read(if is_wal { "-wal" } else { "-journal" }), is_wal }
    }

    /// Returns the database after SQLite has recovered it.
    ///
    /// SQLite reads pages past the end of the file as zeros, but rejects a checkpoint that would
    /// add over 64 KiB more than the committed frames contain (`walCheckpoint` in `wal.c`), and
    /// leaves both files as they are. This occurs if a `-wal` lost frames after their checkpoint
    /// had truncated the file. Zeros appended to the file do not change the pages that SQLite
    /// reads, but permit the checkpoint, which truncates the file to the size of the database.
    fn recovered_by_sqlite(files: &Crashed) -> Vec<u8> {
        let dir = TempDir::new().unwrap();
        let (path, other) = files.write_to(dir.path());
        open_and_close(&path);
        // A checkpoint on close removes the -wal.
        if files.is_wal && other.exists() {
            assert!(fs::read(&path).unwrap() == files.main);
            // This is larger than any database of these tests.
            File::options().write(true).open(&path).unwrap().set_len(1 << 24).unwrap();
            open_and_close(&path);
            assert!(!other.exists());
        }
        fs::read(&path).unwrap()
    }

    fn open_and_close(path: &Path) {
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).unwrap();
        let _ = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()));
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    }

    fn recovered_here(files: &Crashed) -> Vec<u8> {
        let mut from = Cursor::new(&files.beside);
        let patch =
            if files.is_wal { Patch::of_wal(&mut from) } else { Patch::of_journal(&mut from) }
                .unwrap();
        let mut main = files.main.clone();
        if let Some(patch) = patch {
            main.resize(usize::try_from(patch.bytes_after()).unwrap(), 0);
            patch.apply(&mut from, &mut Cursor::new(&mut main)).unwrap();
        }
        main
    }

    fn statement() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => (1..60u32, 1..3000u32).prop_map(|(rows, bytes)| format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows}) \
                 INSERT INTO t SELECT randomblob({bytes}) FROM n"
            )),
            2 => (2..5u32).prop_map(|of| format!("DELETE FROM t WHERE rowid % {of} = 0")),
            2 => (2..5u32)
                .prop_map(|of| format!("UPDATE t SET x = randomblob(700) WHERE rowid % {of} = 1")),
            2 => Just("BEGIN".into()),
            2 => Just("COMMIT".into()),
            1 => Just("ROLLBACK".into()),
            1 => Just("DELETE FROM t; VACUUM".into()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn files_left_by_a_crash_are_recovered_as_sqlite_recovers_them(
            is_wal: bool,
            is_synced in prop::bool::weighted(0.2),
            page_bits in 9..14_u32,
            statements in prop::collection::vec(statement(), 1..14),
            damage in prop::option::of((any::<prop::sample::Index>(), 1..=255_u8)),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut files = crashed(is_wal, is_synced, 1 << page_bits, &statements);
            if let Some(cut) = cut.filter(|_| !files.beside.is_empty()) {
                files.beside.truncate(cut.index(files.beside.len()));
            }
            if let Some((at, flip)) = damage.filter(|_| !files.beside.is_empty()) {
                let at = at.index(files.beside.len());
                files.beside[at] ^= flip;
            }
            // SQLite treats a journal with another first byte as one whose transaction is over.
            prop_assume!(
                files.is_wal || files.beside.first().is_none_or(|first| *first == JOURNAL_MAGIC[0])
            );
            let (ours, theirs) = (recovered_here(&files), recovered_by_sqlite(&files));
            prop_assert!(ours == theirs, "{} and {} bytes", ours.len(), theirs.len());
        }
    }

    #[test]
    fn every_page_of_a_journal_is_rolled_back() {
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) \
                    INSERT INTO t SELECT randomblob(700) FROM n";
        let update = |rest| format!("UPDATE t SET x = randomblob(700) WHERE rowid % 3 = {rest}");
        let updates = (0..3).flat_map(|rest| [update(rest), FLUSH.into()]);
        let statements: Vec<_> = [fill.into(), "BEGIN".into()]
            .into_iter()
            .chain(updates)
            .chain(["DELETE FROM t".into()])
            .collect();
        let files = crashed(false, true, 1024, &statements);
        let parts = files.beside.windows(8).filter(|bytes| *bytes == JOURNAL_MAGIC).count();
        assert!(parts > 2 && recovered_here(&files) != files.main, "{parts}");
        assert!(recovered_here(&files) == recovered_by_sqlite(&files));
    }

    #[test]
    fn a_wal_that_sqlite_reads_but_does_not_checkpoint_is_recovered() {
        let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) \
                    INSERT INTO t SELECT randomblob(700) FROM n";
        let checkpoint = "PRAGMA wal_checkpoint";
        let grow = "INSERT INTO t VALUES (randomblob(3000))";
        let statements = [fill, checkpoint, grow, "DELETE FROM t; VACUUM", checkpoint];
        let mut files = crashed(true, false, 1024, &statements.map(Into::into));
        // The checkpoint has truncated the database, but the -wal has lost the VACUUM.
        let frames = files.beside[32..].chunks_exact(24 + 1024);
        let kept = frames.take_while(|frame| u32_at(frame, 4) == 0).count() + 1;
        files.beside.truncate(32 + kept * (24 + 1024));
        let ours = recovered_here(&files);
        let dir = TempDir::new().unwrap();
        let reader = Connection::open(files.write_to(dir.path()).0).unwrap();
        assert!(reader.query_row("PRAGMA wal_checkpoint", (), |_| Ok(())).is_err());
        assert!(ours == *reader.serialize("main").unwrap());
        assert!(ours == recovered_by_sqlite(&files));
    }

    #[test]
    fn an_invalid_wal_or_journal_replaces_nothing() {
        for bytes in [
            &[][..],
            &[0; 31],
            &[0; 4096],
            b"\x37\x7f\x06\x82 and no more",
            &JOURNAL_MAGIC,
            &[0xff; 9000],
        ] {
            assert!(Patch::of_wal(&mut Cursor::new(bytes)).unwrap().is_none());
            assert!(Patch::of_journal(&mut Cursor::new(bytes)).unwrap().is_none());
        }
    }

    #[test]
    fn checksums_have_the_byte_order_of_the_magic() {
        let mut files = crashed(true, false, 4096, &["INSERT INTO t VALUES (1)".into()]);
        let little = recovered_here(&files);
        // The same `-wal` as written by a machine with the other byte order.
        files.beside[3] ^= 1;
        let mut sum = WalSum { is_big_endian: files.beside[3] & 1 == 1, parts: (0, 0) };
        let sealed = |sum: &WalSum| [sum.parts.0.to_be_bytes(), sum.parts.1.to_be_bytes()].concat();
        sum.add(&files.beside[..24]);
        files.beside[24..32].copy_from_slice(&sealed(&sum));
        for frame in files.beside[32..].chunks_mut(24 + 4096) {
            sum.add(&frame[..8]);
            sum.add(&frame[24..]);
            frame[16..24].copy_from_slice(&sealed(&sum));
        }
        assert!(
            little != files.main
                && recovered_here(&files) == little
                && recovered_by_sqlite(&files) == little
        );
    }

    #[test]
    fn a_wal_with_a_later_format_is_rejected() {
        let mut files = crashed(true, false, 4096, &[]);
        files.beside[7] += 1;
        let mut sum = WalSum { is_big_endian: files.beside[3] & 1 == 1, parts: (0, 0) };
        sum.add(&files.beside[..24]);
        files.beside[24..28].copy_from_slice(&sum.parts.0.to_be_bytes());
        files.beside[28..32].copy_from_slice(&sum.parts.1.to_be_bytes());
        assert!(Patch::of_wal(&mut Cursor::new(&files.beside)).is_err());
    }
}

//! The catalog in SQLite, in WAL mode with `synchronous=FULL`.
//!
//! Numbers that SQLite has no type for (u64, u32) are stored in its 64-bit integers bit for bit.

mod deletions;
mod notes;

use std::path::Path;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, Sqlite, Transaction};
use throughline_model::Signal;
use throughline_model::exception::Fingerprint;
use ulid::Ulid;

use super::deletions::LogDeletion;
use super::notes::{ChangesAsked, ExceptionState, PostedChange};
use super::{Catalog, CatalogState, Change, Flushed, decode_receipts, encode_receipts};
use crate::segment::SegmentMeta;
use crate::status::Quarantined;
use crate::{Error, Result};

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS segments (
        id TEXT PRIMARY KEY, signal INTEGER NOT NULL, tenant TEXT NOT NULL, level INTEGER NOT NULL,
        window_start_ns INTEGER NOT NULL, window_end_ns INTEGER NOT NULL,
        min_time_ns INTEGER NOT NULL, max_time_ns INTEGER NOT NULL, rows INTEGER NOT NULL,
        data_bytes INTEGER NOT NULL, index_bytes INTEGER NOT NULL,
        data_crc32c INTEGER NOT NULL, index_crc32c INTEGER NOT NULL,
        format_version INTEGER NOT NULL, created_at_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS checkpoints (signal INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS receipts (
        signal INTEGER NOT NULL, seq INTEGER NOT NULL, newest_at_ns INTEGER NOT NULL,
        entries BLOB NOT NULL, PRIMARY KEY (signal, seq)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS quarantine (
        name TEXT PRIMARY KEY, why TEXT NOT NULL, at_ns INTEGER NOT NULL) WITHOUT ROWID;
";

/// A catalog in one SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteCatalog {
    pool: SqlitePool,
}

impl SqliteCatalog {
    /// Opens or creates the file. `new_key` is kept if there is no key yet.
    pub async fn open(path: &Path, new_key: &[u8]) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        sqlx::raw_sql(notes::SCHEMA).execute(&pool).await?;
        sqlx::raw_sql(deletions::SCHEMA).execute(&pool).await?;
        sqlx::query("INSERT OR IGNORE INTO meta VALUES ('schema_version', ?), ('key', ?)")
            .bind(SCHEMA_VERSION)
            .bind(new_key)
            .execute(&pool)
            .await?;
        let version: i64 = sqlx::query("SELECT value FROM meta WHERE name = 'schema_version'")
            .fetch_one(&pool)
            .await?
            .try_get(0)?;
        if version != SCHEMA_VERSION {
            return Err(Error::invalid(format!(
                "catalog {} has schema version {version}, this build reads {SCHEMA_VERSION}",
                path.display()
            )));
        }
        Ok(Self { pool })
    }

    async fn load_all(&self) -> Result<CatalogState> {
        let mut state = CatalogState::default();
        let rows = sqlx::query("SELECT * FROM segments ORDER BY id").fetch_all(&self.pool).await?;
        state.segments = rows.iter().map(segment_of).collect::<Result<_>>()?;
        for row in sqlx::query("SELECT signal, seq FROM checkpoints").fetch_all(&self.pool).await? {
            state.checkpoints.set(signal_of(&row)?, row.try_get::<i64, _>("seq")? as u64);
        }
        let rows = sqlx::query("SELECT entries FROM receipts ORDER BY newest_at_ns")
            .fetch_all(&self.pool)
            .await?;
        for row in rows {
            state.receipts.push(decode_receipts(row.try_get("entries")?)?);
        }
        let rows = sqlx::query("SELECT name, why, at_ns FROM quarantine ORDER BY at_ns, name")
            .fetch_all(&self.pool)
            .await?;
        for row in rows {
            state.quarantined.push(Quarantined {
                name: row.try_get("name")?,
                why: row.try_get("why")?,
                at_ns: row.try_get("at_ns")?,
            });
        }
        let row =
            sqlx::query("SELECT value FROM meta WHERE name = 'key'").fetch_one(&self.pool).await?;
        state.key = row.try_get(0)?;
        deletions::load(&self.pool, &mut state).await?;
        Ok(state)
    }

    async fn commit_all(&self, change: &Change) -> Result<()> {
        // Taken for writing from the start, so that what is read cannot change before it is used.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(flushed) = &change.flushed
            && !checkpoint(&mut transaction, flushed).await?
        {
            return Ok(());
        }
        for id in &change.remove {
            let removed = sqlx::query("DELETE FROM segments WHERE id = ?")
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
            if removed.rows_affected() != 1 {
                return Err(Error::invalid(format!("segment {id} is not in the catalog")));
            }
        }
        for meta in &change.add {
            add_segment(&mut transaction, meta).await?;
        }
        if let Some(quarantined) = &change.quarantine {
            sqlx::query("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)")
                .bind(&quarantined.name)
                .bind(&quarantined.why)
                .bind(quarantined.at_ns)
                .execute(&mut *transaction)
                .await?;
        }
        deletions::commit(&mut transaction, change).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Moves a checkpoint and keeps the receipts; `false` if the flush was committed before.
async fn checkpoint(transaction: &mut Transaction<'_, Sqlite>, flushed: &Flushed) -> Result<bool> {
    let row = sqlx::query("SELECT seq FROM checkpoints WHERE signal = ?")
        .bind(flushed.signal as i64)
        .fetch_optional(&mut **transaction)
        .await?;
    let seq = row.map_or(Ok(0), |row| row.try_get::<i64, _>(0))? as u64;
    if seq == flushed.to_seq {
        return Ok(false);
    }
    if seq != flushed.from_seq {
        return Err(Error::invalid(format!(
            "checkpoint of {} is {seq}, a flush from {} to {} does not fit",
            flushed.signal, flushed.from_seq, flushed.to_seq
        )));
    }
    sqlx::query("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)")
        .bind(flushed.signal as i64)
        .bind(flushed.to_seq as i64)
        .execute(&mut **transaction)
        .await?;
    let newest = flushed.receipts.iter().map(|receipt| receipt.received_at_ns).max();
    if let Some(newest_at_ns) = newest {
        sqlx::query("INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?)")
            .bind(flushed.signal as i64)
            .bind(flushed.to_seq as i64)
            .bind(newest_at_ns)
            .bind(encode_receipts(&flushed.receipts))
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query("DELETE FROM receipts WHERE newest_at_ns < ?")
        .bind(flushed.forget_before_ns)
        .execute(&mut **transaction)
        .await?;
    Ok(true)
}

async fn add_segment(transaction: &mut Transaction<'_, Sqlite>, meta: &SegmentMeta) -> Result<()> {
    sqlx::query("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(meta.id.to_string())
        .bind(meta.signal as i64)
        .bind(&meta.tenant)
        .bind(i64::from(meta.level))
        .bind(meta.window_start_ns)
        .bind(meta.window_end_ns)
        .bind(meta.min_time_ns)
        .bind(meta.max_time_ns)
        .bind(meta.rows as i64)
        .bind(meta.data_bytes as i64)
        .bind(meta.index_bytes as i64)
        .bind(i64::from(meta.data_crc32c))
        .bind(i64::from(meta.index_crc32c))
        .bind(i64::from(meta.format_version))
        .bind(meta.created_at_ns)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn signal_of(row: &SqliteRow) -> Result<Signal> {
    let number: i64 = row.try_get("signal")?;
    u8::try_from(number)
        .ok()
        .and_then(Signal::from_u8)
        .ok_or_else(|| Error::corrupt(format!("catalog: signal {number}")))
}

fn segment_of(row: &SqliteRow) -> Result<SegmentMeta> {
    let number = |name: &str| row.try_get::<i64, _>(name);
    let id: &str = row.try_get("id")?;
    Ok(SegmentMeta {
        id: Ulid::from_string(id)
            .map_err(|err| Error::corrupt(format!("catalog: segment id '{id}': {err}")))?,
        signal: signal_of(row)?,
        tenant: row.try_get("tenant")?,
        level: number("level")? as u8,
        window_start_ns: number("window_start_ns")?,
        window_end_ns: number("window_end_ns")?,
        min_time_ns: number("min_time_ns")?,
        max_time_ns: number("max_time_ns")?,
        rows: number("rows")? as u64,
        data_bytes: number("data_bytes")? as u64,
        index_bytes: number("index_bytes")? as u64,
        data_crc32c: number("data_crc32c")? as u32,
        index_crc32c: number("index_crc32c")? as u32,
        format_version: number("format_version")? as u16,
        created_at_ns: number("created_at_ns")?,
    })
}

impl Catalog for SqliteCatalog {
    fn load(&self) -> BoxFuture<'_, Result<CatalogState>> {
        self.load_all().boxed()
    }

    fn commit<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<()>> {
        self.commit_all(change).boxed()
    }

    fn exception_states(&self) -> BoxFuture<'_, Result<Vec<ExceptionState>>> {
        notes::states(&self.pool).boxed()
    }

    fn put_exception_state<'a>(&'a self, state: &'a ExceptionState) -> BoxFuture<'a, Result<()>> {
        notes::put_state(&self.pool, state).boxed()
    }

    fn remove_exception_state(&self, fingerprint: Fingerprint) -> BoxFuture<'_, Result<()>> {
        notes::remove_state(&self.pool, fingerprint).boxed()
    }

    fn add_change<'a>(&'a self, change: &'a PostedChange) -> BoxFuture<'a, Result<u64>> {
        notes::add_change(&self.pool, change).boxed()
    }

    fn changes<'a>(&'a self, asked: &'a ChangesAsked) -> BoxFuture<'a, Result<Vec<PostedChange>>> {
        notes::changes(&self.pool, asked).boxed()
    }

    fn log_deletions(&self) -> BoxFuture<'_, Result<Vec<LogDeletion>>> {
        deletions::list(&self.pool).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.pool.close().boxed()
    }
}

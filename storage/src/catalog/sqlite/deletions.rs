//! The tables of deleted rows, of [`crate::catalog::deletions`], and of what retention has looked at.
//!
//! They came after the first schema. A program that does not know them reads no segments of this format
//! either, so the schema's version did not change.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, Sqlite, Transaction};
use ulid::Ulid;

use crate::catalog::deletions::{DELETIONS_MAX, LogDeletion};
use crate::catalog::{CatalogState, Change};
use crate::segment::deleted::DeletedRows;
use crate::{Error, Result};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS deleted_rows (
        segment TEXT PRIMARY KEY, is_requested INTEGER NOT NULL, entries BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS log_deletions (
        id TEXT PRIMARY KEY, asked_at_ns INTEGER NOT NULL, query TEXT NOT NULL,
        start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, rows INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS log_deletion_segments (
        segment TEXT NOT NULL, deletion TEXT NOT NULL, PRIMARY KEY (segment, deletion)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS segments_by_deletion ON log_deletion_segments (deletion);
    CREATE TABLE IF NOT EXISTS class_passes (
        segment TEXT NOT NULL, class INTEGER NOT NULL, PRIMARY KEY (segment, class)) WITHOUT ROWID;
";

/// Reads what belongs to the state.
pub(super) async fn load(pool: &SqlitePool, state: &mut CatalogState) -> Result<()> {
    for row in sqlx::query("SELECT * FROM deleted_rows").fetch_all(pool).await? {
        let is_requested = row.try_get::<i64, _>("is_requested")? != 0;
        let rows = DeletedRows::decode(row.try_get("entries")?, is_requested)?;
        state.deleted.push((id_of(&row, "segment")?, rows));
    }
    for row in sqlx::query("SELECT * FROM class_passes").fetch_all(pool).await? {
        state.passed.push((id_of(&row, "segment")?, row.try_get::<i64, _>("class")? as u64));
    }
    Ok(())
}

/// Applies the part of a change that is about deleted rows, after its segments have come and gone.
pub(super) async fn commit(
    transaction: &mut Transaction<'_, Sqlite>,
    change: &Change,
) -> Result<()> {
    for id in &change.remove {
        for forget in [
            "DELETE FROM deleted_rows WHERE segment = ?",
            "DELETE FROM log_deletion_segments WHERE segment = ?",
            "DELETE FROM class_passes WHERE segment = ?",
        ] {
            sqlx::query(forget).bind(id.to_string()).execute(&mut **transaction).await?;
        }
    }
    for (id, rows) in &change.deleted {
        sqlx::query("INSERT OR REPLACE INTO deleted_rows VALUES (?, ?, ?)")
            .bind(id.to_string())
            .bind(i64::from(rows.is_requested))
            .bind(rows.encode())
            .execute(&mut **transaction)
            .await?;
    }
    for (id, class) in &change.passed {
        sqlx::query("INSERT OR REPLACE INTO class_passes VALUES (?, ?)")
            .bind(id.to_string())
            .bind(*class as i64)
            .execute(&mut **transaction)
            .await?;
    }
    match &change.deletion {
        Some(deletion) => add(transaction, deletion, change).await,
        None => Ok(()),
    }
}

async fn add(
    transaction: &mut Transaction<'_, Sqlite>,
    deletion: &LogDeletion,
    change: &Change,
) -> Result<()> {
    let id = deletion.id.to_string();
    sqlx::query("INSERT INTO log_deletions VALUES (?, ?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(deletion.asked_at_ns)
        .bind(&deletion.query)
        .bind(deletion.start_ns)
        .bind(deletion.end_ns)
        .bind(deletion.rows as i64)
        .execute(&mut **transaction)
        .await?;
    for (segment, _) in &change.deleted {
        sqlx::query("INSERT INTO log_deletion_segments VALUES (?, ?)")
            .bind(segment.to_string())
            .bind(&id)
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query(
        "DELETE FROM log_deletions WHERE id IN (
            SELECT id FROM log_deletions ORDER BY asked_at_ns DESC, id DESC LIMIT -1 OFFSET ?)
            AND id NOT IN (SELECT deletion FROM log_deletion_segments)",
    )
    .bind(DELETIONS_MAX)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// All deletions, the newest first.
pub(super) async fn list(pool: &SqlitePool) -> Result<Vec<LogDeletion>> {
    let rows = sqlx::query(
        "SELECT *, (SELECT count(*) FROM log_deletion_segments WHERE deletion = id) AS left_over
            FROM log_deletions ORDER BY asked_at_ns DESC, id DESC",
    );
    rows.fetch_all(pool).await?.iter().map(deletion_of).collect()
}

fn deletion_of(row: &SqliteRow) -> Result<LogDeletion> {
    Ok(LogDeletion {
        id: id_of(row, "id")?,
        asked_at_ns: row.try_get("asked_at_ns")?,
        query: row.try_get("query")?,
        start_ns: row.try_get("start_ns")?,
        end_ns: row.try_get("end_ns")?,
        rows: row.try_get::<i64, _>("rows")? as u64,
        segments_left: row.try_get::<i64, _>("left_over")? as u64,
    })
}

fn id_of(row: &SqliteRow, name: &str) -> Result<Ulid> {
    let id: &str = row.try_get(name)?;
    Ulid::from_string(id).map_err(|err| Error::corrupt(format!("catalog: {name} '{id}': {err}")))
}

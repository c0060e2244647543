//! The tables of [`crate::catalog::notes`].
//!
//! They came after the first schema. A program that does not know them leaves them alone, so the
//! schema's version did not change.

use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use throughline_model::exception::Fingerprint;

use crate::catalog::notes::{
    CHANGES_MAX, ChangesAsked, Decision, ExceptionState, PostedChange, PostedKind, STATES_MAX,
};
use crate::{Error, ErrorKind, Result};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS exception_states (
        fingerprint TEXT PRIMARY KEY, decision INTEGER NOT NULL, changed_at_ns INTEGER NOT NULL,
        changed_by TEXT NOT NULL, resolved_in_version TEXT, ignored_until_ns INTEGER,
        note TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS changes (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, time_ns INTEGER NOT NULL,
        service TEXT NOT NULL, version TEXT NOT NULL, title TEXT NOT NULL, link TEXT NOT NULL,
        attributes TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS changes_by_time ON changes (time_ns);
";

pub(super) async fn states(pool: &SqlitePool) -> Result<Vec<ExceptionState>> {
    let rows = sqlx::query("SELECT * FROM exception_states ORDER BY fingerprint");
    rows.fetch_all(pool).await?.iter().map(state_of).collect()
}

pub(super) async fn put_state(pool: &SqlitePool, state: &ExceptionState) -> Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("INSERT OR REPLACE INTO exception_states VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(state.fingerprint.to_string())
        .bind(match state.decision {
            Decision::Resolved => 1i64,
            Decision::Ignored => 2,
        })
        .bind(state.changed_at_ns)
        .bind(&state.changed_by)
        .bind(&state.resolved_in_version)
        .bind(state.ignored_until_ns)
        .bind(&state.note)
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT count(*) FROM exception_states").fetch_one(&mut *transaction);
    let count = row.await?.try_get::<i64, _>(0)? as u64;
    if count > STATES_MAX {
        // The transaction is dropped, and with it the row.
        return Err(Error::new(
            ErrorKind::Limit,
            format!("{STATES_MAX} groups of exceptions have a state, which is the most"),
        ));
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn remove_state(pool: &SqlitePool, fingerprint: Fingerprint) -> Result<()> {
    sqlx::query("DELETE FROM exception_states WHERE fingerprint = ?")
        .bind(fingerprint.to_string())
        .execute(pool)
        .await?;
    Ok(())
}

pub(super) async fn add_change(pool: &SqlitePool, change: &PostedChange) -> Result<u64> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let done = sqlx::query(
        "INSERT INTO changes (kind, time_ns, service, version, title, link, attributes)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(i64::from(change.kind as u8))
    .bind(change.time_ns)
    .bind(&change.service)
    .bind(&change.version)
    .bind(&change.title)
    .bind(&change.link)
    .bind(&change.attributes)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "DELETE FROM changes WHERE id IN
         (SELECT id FROM changes ORDER BY time_ns DESC, id DESC LIMIT -1 OFFSET ?)",
    )
    .bind(CHANGES_MAX as i64)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.last_insert_rowid() as u64)
}

pub(super) async fn changes(pool: &SqlitePool, asked: &ChangesAsked) -> Result<Vec<PostedChange>> {
    let rows = sqlx::query(
        "SELECT * FROM changes
         WHERE time_ns >= ?1 AND (time_ns < ?2 OR ?2 = ?3)
             AND (?4 IS NULL OR service = '' OR service = ?4)
         ORDER BY time_ns DESC, id DESC LIMIT ?5",
    )
    .bind(asked.time.start_ns)
    .bind(asked.time.end_ns)
    .bind(i64::MAX)
    .bind(&asked.service)
    .bind(asked.limit as i64)
    .fetch_all(pool)
    .await?;
    rows.iter().map(change_of).collect()
}

fn state_of(row: &SqliteRow) -> Result<ExceptionState> {
    let fingerprint: &str = row.try_get("fingerprint")?;
    Ok(ExceptionState {
        fingerprint: Fingerprint::parse(fingerprint)
            .map_err(|err| Error::corrupt(format!("catalog: {err}")))?,
        decision: match row.try_get::<i64, _>("decision")? {
            1 => Decision::Resolved,
            2 => Decision::Ignored,
            other => return Err(Error::corrupt(format!("catalog: decision {other}"))),
        },
        changed_at_ns: row.try_get("changed_at_ns")?,
        changed_by: row.try_get("changed_by")?,
        resolved_in_version: row.try_get("resolved_in_version")?,
        ignored_until_ns: row.try_get("ignored_until_ns")?,
        note: row.try_get("note")?,
    })
}

fn change_of(row: &SqliteRow) -> Result<PostedChange> {
    let kind: i64 = row.try_get("kind")?;
    let known = u8::try_from(kind).ok().and_then(PostedKind::from_u8);
    Ok(PostedChange {
        id: row.try_get::<i64, _>("id")? as u64,
        kind: known.ok_or_else(|| Error::corrupt(format!("catalog: kind {kind} of a change")))?,
        time_ns: row.try_get("time_ns")?,
        service: row.try_get("service")?,
        version: row.try_get("version")?,
        title: row.try_get("title")?,
        link: row.try_get("link")?,
        attributes: row.try_get("attributes")?,
    })
}

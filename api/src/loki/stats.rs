//! What a query did, in the names that Loki has for it.

use serde_json::{Value as Json, json};
use throughline_query::QueryStatsSnapshot;

/// The statistics of an answer. What this server has no equal of is zero: clients look for the names.
pub fn stats(stats: &QueryStatsSnapshot, entries: usize) -> Json {
    let seconds = stats.elapsed_ms / 1e3;
    let per_second = |count: u64| match seconds > 0.0 {
        true => (count as f64 / seconds) as u64,
        false => 0,
    };
    let (lines, bytes) = (stats.scan.rows_scanned, stats.scan.bytes_read);
    let chunk = json!({
        "compressedBytes": bytes, "decompressedBytes": 0, "decompressedLines": lines,
        "decompressedStructuredMetadataBytes": 0, "headChunkBytes": 0, "headChunkLines": 0,
        "headChunkStructuredMetadataBytes": 0, "postFilterLines": stats.scan.rows_matched,
        "totalDuplicates": 0,
    });
    let store = |used: bool| {
        let none = json!({});
        json!({
            "chunk": if used { chunk.clone() } else { none },
            "chunksDownloadTime": 0, "chunkRefsFetchTime": 0, "congestionControlLatency": 0,
            "pipelineWrapperFilteredLines": 0, "queryReferencedStructuredMetadata": false,
            "totalChunksDownloaded": if used { stats.scan.row_groups_total - stats.scan.row_groups_pruned.min(stats.scan.row_groups_total) } else { 0 },
            "totalChunksRef": if used { stats.scan.row_groups_total } else { 0 },
        })
    };
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(bytes),
            "execTime": seconds,
            "linesProcessedPerSecond": per_second(lines),
            "queueTime": 0.0,
            "shards": 0,
            "splits": 0,
            "subqueries": 1,
            "totalBytesProcessed": bytes,
            "totalEntriesReturned": entries,
            "totalLinesProcessed": lines,
            "totalPostFilterLines": stats.scan.rows_matched,
            "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": {"store": store(true)},
        "ingester": {
            "store": store(false), "totalBatches": 0, "totalChunksMatched": 0,
            "totalLinesSent": 0, "totalReached": 0,
        },
        "store": store(true),
        "cache": {},
        "index": {"postFilterChunks": 0, "totalChunks": stats.scan.segments_total, "shardsDuration": 0},
    })
}

/// What the asker should know of an answer that lacks records.
pub fn warnings(stats: &QueryStatsSnapshot) -> Vec<String> {
    let missing = stats.scan.partial.iter();
    missing.map(|id| format!("segment {id} cannot be read: the answer lacks its records")).collect()
}

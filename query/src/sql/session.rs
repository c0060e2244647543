//! A session per query: our tables over one view, our functions and rules, and nothing else.

use std::sync::{Arc, OnceLock};

use arrow::array::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider,
};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::optimizer::Analyzer;
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use throughline_storage::View;
use throughline_storage::scan::ScanContext;

use super::attribute_use::AttributeUse;
use super::exception::ExceptionFingerprint;
use super::functions;
use super::ids::{HexLiterals, IdText};
use super::limits;
use super::pool::QueryPool;
use super::position::located;
use super::sets::{AttrFunction, SubscriptPlanner};
use super::tables;
use super::tally::CountOverRuns;
use super::words::HasWords;
use crate::context::Budget;
use crate::{EngineOptions, Error, Result};

const BATCH_ROWS: usize = 8192;
const CATALOG: &str = "throughline";
const SCHEMA: &str = "public";
/// How deep expressions and subqueries may nest.
const NESTING_MAX: usize = 64;
/// Operators of a statement: a chain of them nests as deep as it is long.
pub(crate) const OPERATORS_MAX: usize = 2000;

/// What the tables of one query share.
#[derive(Debug)]
pub(crate) struct Query {
    /// The snapshot.
    pub view: Arc<View>,
    /// Budget of its scans.
    pub scan: ScanContext,
    attributes: OnceLock<Arc<AttributeUse>>,
}

impl Query {
    /// A query that is not planned yet.
    pub fn new(view: Arc<View>, scan: ScanContext) -> Arc<Self> {
        Arc::new(Self { view, scan, attributes: OnceLock::new() })
    }

    /// What the query takes out of attribute sets; known once the plan is optimised.
    pub fn attributes(&self) -> Result<Arc<AttributeUse>> {
        let known = self.attributes.get().cloned();
        known.ok_or_else(|| Error::internal("a table was scanned before its plan was optimised"))
    }

    /// Notes what the optimised plan takes out of attribute sets.
    pub fn set_attributes(&self, attributes: AttributeUse) {
        self.attributes.get_or_init(|| Arc::new(attributes));
    }
}

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Sessions {
    base: SessionState,
    memory: Arc<dyn MemoryPool>,
    query_memory_bytes_max: usize,
}

impl Sessions {
    /// Prepares functions and rules once.
    pub fn new(options: &EngineOptions) -> Self {
        let mut config = SessionConfig::new()
            .with_target_partitions(options.parallelism.max(1))
            .with_batch_size(BATCH_ROWS)
            .with_information_schema(true)
            .with_default_catalog_and_schema(CATALOG, SCHEMA);
        let settings = config.options_mut();
        settings.execution.time_zone = Some("UTC".into());
        // So that errors of names can say where.
        settings.sql_parser.collect_spans = true;
        let mut rules: Vec<Arc<dyn datafusion::optimizer::AnalyzerRule + Send + Sync>> =
            vec![Arc::new(HexLiterals)];
        rules.extend(Analyzer::new().rules);
        let mut base = SessionStateBuilder::new_with_default_features()
            .with_config(config)
            .with_analyzer_rules(rules)
            .with_optimizer_rule(Arc::new(CountOverRuns))
            .build();
        let mut planners = base.expr_planners().to_vec();
        planners.insert(0, Arc::new(SubscriptPlanner));
        let physical = limits::with_repair(base.physical_optimizers());
        base = SessionStateBuilder::new_from_existing(base)
            .with_expr_planners(planners)
            .with_physical_optimizer_rules(physical)
            .build();
        Self {
            base,
            memory: Arc::new(GreedyMemoryPool::new(options.memory_bytes_max)),
            query_memory_bytes_max: options.query_memory_bytes_max,
        }
    }

    /// Memory of a question that is no SQL, taken from the same pools until it is dropped.
    pub fn reserve(&self, budget: &Budget, what: &str, bytes: usize) -> Result<MemoryReservation> {
        let (shared, stats) = (self.memory.clone(), budget.stats.clone());
        let pool: Arc<dyn MemoryPool> =
            Arc::new(QueryPool::new(shared, self.query_memory_bytes_max, stats));
        let reservation = MemoryConsumer::new(what).register(&pool);
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// A session for one statement.
    pub async fn open(
        &self,
        query: &Arc<Query>,
        statement: &Statement,
        budget: &Budget,
        now_ns: i64,
    ) -> Result<SessionState> {
        let pool =
            QueryPool::new(self.memory.clone(), self.query_memory_bytes_max, budget.stats.clone());
        let no_disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(no_disk)
            .build_arc()?;
        let mut state = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_catalog_list(catalogs()?)
            .with_runtime_env(runtime)
            .build();
        if let Some(now) = timestamp_ns_to_datetime(now_ns) {
            let props = state.execution_props_mut();
            *props = props.clone().with_query_execution_start_time(now.and_utc());
        }
        add_functions(&mut state)?;
        add_tables(&state, query, statement).await?;
        Ok(state)
    }
}

// A query's tables are its own, so that each reads its own view.
fn catalogs() -> Result<Arc<dyn CatalogProviderList>> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(MemorySchemaProvider::new()))?;
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(catalogs))
}

fn add_functions(state: &mut SessionState) -> Result<()> {
    use datafusion::execution::FunctionRegistry;
    state.register_udf(Arc::new(IdText::udf()))?;
    state.register_udf(Arc::new(ExceptionFingerprint::udf()))?;
    for function in AttrFunction::all().into_iter().chain(HasWords::all()).chain(functions::all()) {
        state.register_udf(function)?;
    }
    Ok(())
}

async fn add_tables(state: &SessionState, query: &Arc<Query>, statement: &Statement) -> Result<()> {
    let schema = state.schema_for_ref("spans")?;
    for (name, table) in tables::all(query) {
        schema.register_table(name.to_owned(), table)?;
    }
    let used = state.resolve_table_references(statement)?;
    let lists_tables = used.iter().any(|used| used.schema() == Some("information_schema"));
    for (name, text) in tables::views() {
        if lists_tables || used.iter().any(|used| used.table() == name) {
            let plan = state.statement_to_plan(parse(text)?).await?;
            schema.register_table(
                name.to_owned(),
                Arc::new(ViewTable::new(plan, Some(text.to_owned()))),
            )?;
        }
    }
    Ok(())
}

/// Parses one statement that only reads.
pub(crate) fn parse(text: &str) -> Result<Statement> {
    check_length(text)?;
    let parser = DFParserBuilder::new(text)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(NESTING_MAX)
        .build();
    let mut statements = parser
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|err| located(err, text))?;
    let statement = match statements.pop_front() {
        Some(statement) if statements.is_empty() => statement,
        Some(_) => {
            return Err(Error::unsupported("a query is one statement, and here are several"));
        }
        None => return Err(Error::invalid("query", "the query is empty")),
    };
    check_reads(&statement)?;
    Ok(statement)
}

// A text without tokens is left to the parser, which says what is wrong with it.
fn check_length(text: &str) -> Result<()> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize() else { return Ok(()) };
    let is_operator = |token: &&Token| match token {
        Token::Word(word) => matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::NOT),
        Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => true,
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod => true,
        Token::StringConcat | Token::Tilde => true,
        _ => false,
    };
    let operators = tokens.iter().filter(is_operator).count();
    if operators > OPERATORS_MAX {
        let message = format!("the query has {operators} operators, the limit is {OPERATORS_MAX}");
        return Err(Error::invalid("query", message));
    }
    Ok(())
}

fn check_reads(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Statement(inner) => match &**inner {
            SqlStatement::Query(_)
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ExplainTable { .. } => Ok(()),
            SqlStatement::Explain { statement, .. }
                if matches!(**statement, SqlStatement::Query(_)) =>
            {
                Ok(())
            }
            other => Err(refused(&other.to_string())),
        },
        Statement::Explain(explain) => check_reads(&explain.statement),
        Statement::CreateExternalTable(_) => Err(refused("CREATE EXTERNAL TABLE")),
        Statement::CopyTo(_) => Err(refused("COPY")),
        Statement::Reset(_) => Err(refused("RESET")),
    }
}

fn refused(statement: &str) -> Error {
    let verb = statement.split_whitespace().next().unwrap_or("this");
    Error::unsupported(format!("{verb} is not offered: SQL only reads (SELECT, EXPLAIN, SHOW)"))
}

/// What a plan may not contain, whatever its statement looked like.
pub(crate) fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

//! What goes wrong in the shop, and when.
//!
//! ```text
//! past hour   ──────[payment]────────[slow database]──────────(deployment)───────────── now
//!             -60  -48    -42       -32           -26          -15      -13
//! from now on, every 20 minutes: payment fails from :04 to :06, the database is slow from :11 to :14
//! ```

use throughline_model::time::MINUTE_NS;

/// The version of `search` that the deployment brings; it asks the database once for every term.
pub const DEPLOYED_VERSION: &str = "1.9.0";
/// The service that is deployed.
pub const DEPLOYED_SERVICE: &str = "search";
/// The service whose database becomes slow.
pub const SLOW_DATABASE_SERVICE: &str = "inventory";
/// By how much.
pub const SLOW_DATABASE_FACTOR: f64 = 18.0;
/// Share of charges that fail in a burst.
pub const PAYMENT_FAILURE_SHARE: f64 = 0.45;

const LIVE_PERIOD_MINUTES: i64 = 20;

/// The calendar of faults, relative to the moment at which the demo began.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    began_ns: i64,
}

impl Faults {
    /// A calendar for a demo that began then.
    pub fn from(began_ns: i64) -> Faults {
        Faults { began_ns }
    }

    /// Whether the acquirer times out for many charges.
    pub fn payment_fails(&self, t_ns: i64) -> bool {
        self.past(t_ns, -48, -42) || self.live(t_ns, 4, 6)
    }

    /// Whether the inventory's database is slow.
    pub fn database_is_slow(&self, t_ns: i64) -> bool {
        self.past(t_ns, -32, -26) || self.live(t_ns, 11, 14)
    }

    /// Whether this replica of `search` runs the new version; replicas follow each other.
    pub fn is_deployed(&self, replica: usize, t_ns: i64) -> bool {
        t_ns >= self.began_ns + (replica as i64 - 15) * MINUTE_NS
    }

    fn past(&self, t_ns: i64, from_minute: i64, to_minute: i64) -> bool {
        let from_ns = self.began_ns + from_minute * MINUTE_NS;
        let to_ns = self.began_ns + to_minute * MINUTE_NS;
        (from_ns..to_ns).contains(&t_ns)
    }

    fn live(&self, t_ns: i64, from_minute: i64, to_minute: i64) -> bool {
        let minute = (t_ns - self.began_ns).div_euclid(MINUTE_NS);
        minute >= 0 && (from_minute..to_minute).contains(&(minute % LIVE_PERIOD_MINUTES))
    }
}

//! One datasource as Grafana has it configured now: its settings, the origin they lead to, and what was answered lately. STUB

use crate::frames::Frame;
use crate::origin::{Error, Health, Identity};
use crate::query::Query;
use crate::settings::Settings;

/// One configured datasource. Kept by (organisation, uid, time of the last change); a change makes a new one.
pub struct Instance {}

#[allow(clippy::todo, clippy::unused_async)]
impl Instance {
    /// Opens nothing yet: a wrong address shows when it is asked.
    pub fn new(_settings: Settings) -> Result<Self, Error> {
        todo!()
    }
    /// Asks the origin, through the cache, and makes the frames.
    pub async fn answer(&self, _query: &Query, _who: &Identity) -> Result<Vec<Frame>, Error> {
        todo!()
    }
    /// What "Save & test" says.
    pub async fn check(&self, _who: &Identity) -> Health {
        todo!()
    }
    /// The filters an editor cannot widen.
    pub fn fixed(&self) -> &[(String, String)] {
        todo!()
    }
}

//! Which kinds of a group the API server has, and in which versions: for `doctor`. Whoever may log in may ask this.

use super::api::{Api, Error};
use kube::Client;
use serde_json::Value;

/// Most versions that are asked about, and kinds told of each.
const MOST: usize = 1000;

/// One version of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Such as `v1alpha1`.
    pub version: String,
    /// Kinds by their name in paths, sorted; without `/status` and the like.
    pub plurals: Vec<String>,
}

/// Every version of `group` the server has; none: the group is not there.
pub async fn group(client: &Client, group: &str) -> Result<Vec<Served>, Error> {
    let api = Api::new(client.clone());
    let Some(found) = api.get(&format!("/apis/{group}")).await? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for version in names(&found["versions"], "version") {
        let kinds = api.get(&format!("/apis/{group}/{version}")).await?;
        let mut plurals = names(&kinds.unwrap_or(Value::Null)["resources"], "name");
        plurals.retain(|name| !name.contains('/'));
        plurals.sort();
        all.push(Served { version, plurals });
    }
    Ok(all)
}

/// What each of a list has in this field.
fn names(list: &Value, field: &str) -> Vec<String> {
    let list = list.as_array().into_iter().flatten().take(MOST);
    list.filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
}

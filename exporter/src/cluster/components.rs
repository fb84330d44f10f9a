//! The components of Chaos Mesh themselves: where their pages of metrics are, which release the controller is of, and its time zone.
//!
//! Found by the labels their Helm chart gives every pod. Apart from `pods`, which follows the pods that experiments have to do with. To find
//! one more component: its label in [`Component`], the names of its ports in [`ports`].

use super::api::{Api, Error};
use crate::peers::find::{Component, Finder, Finding, Lost, Peer};
use hyper::Uri;
use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr as _;

/// `app.kubernetes.io/part-of=chaos-mesh,app.kubernetes.io/component in (controller-manager,chaos-dashboard,chaos-dns-server)`; from the API
/// server's memory, which is what `resourceVersion=0` says. Daemons are asked on their own nodes.
const QUERY: &str = "labelSelector=app.kubernetes.io%2Fpart-of%3Dchaos-mesh%2Capp.kubernetes.io%2Fcomponent%20in%20%28controller-manager%2C\
                     chaos-dashboard%2Cchaos-dns-server%29&resourceVersion=0";

/// Asks the API server for the components' pods.
#[derive(Clone)]
pub struct Components {
    api: Api,
    namespaces: Vec<String>,
}

/// One pod of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// What it is.
    pub component: Component,
    /// Whether it runs, is ready and is not on its way out.
    pub ready: bool,
    /// Where its page of metrics is; `None` without an address or a port for it.
    pub url: Option<Uri>,
    /// The tag of its image, as `v2.8.3`; `None` where the image has none.
    pub version: Option<String>,
    /// What its variable `TZ` says in plain; `None` where it is not set, or set from elsewhere.
    pub time_zone: Option<String>,
}

impl Components {
    /// Looks in these namespaces, or everywhere where none is given. Chaos Mesh's own has to be among them.
    pub fn new(client: Client, namespaces: &[String]) -> Self {
        let namespaces = if namespaces.is_empty() { vec![String::new()] } else { namespaces.to_vec() };
        Self { api: Api::new(client), namespaces }
    }

    /// All of them, ready or not. A namespace that cannot be looked into is passed over, unless none can.
    pub async fn list(&self) -> Result<Vec<Found>, Error> {
        let (mut found, mut failed, mut answered) = (Vec::new(), None, false);
        for namespace in &self.namespaces {
            let path = match namespace.as_str() {
                "" => format!("/api/v1/pods?{QUERY}"),
                namespace => format!("/api/v1/namespaces/{namespace}/pods?{QUERY}"),
            };
            match self.api.get(&path).await {
                Ok(list) => {
                    answered = true;
                    found.extend(list.map(pods).unwrap_or_default());
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if !answered => Err(error),
            _ => Ok(found),
        }
    }
}

impl Finder for Components {
    fn find(&self) -> Finding<'_> {
        Box::pin(async {
            let found = self.list().await.map_err(|error| Lost(error.to_string()))?;
            Ok(found.into_iter().filter(|found| found.ready).filter_map(Found::peer).collect())
        })
    }
}

impl Found {
    fn peer(self) -> Option<Peer> {
        Some(Peer { name: self.pod, namespace: self.namespace, component: self.component, url: self.url? })
    }
}

/// The pods of a list; one that is not understood is left out.
fn pods(list: Value) -> Vec<Found> {
    let Value::Object(mut list) = list else { return Vec::new() };
    let Some(Value::Array(items)) = list.remove("items") else { return Vec::new() };
    items.into_iter().filter_map(|pod| found(serde_json::from_value(pod).ok()?)).collect()
}

fn found(pod: Pod) -> Option<Found> {
    let Pod { metadata, spec, status } = pod;
    let component = Component::from_str(metadata.labels.as_ref()?.get("app.kubernetes.io/component")?).ok()?;
    let is_ready = |condition: &Condition| condition.kind == "Ready" && condition.status == "True";
    let ready = status.conditions.iter().flatten().any(is_ready) && metadata.deletion_timestamp.is_none();
    let named = |container: &&Container| port(component, container).is_some();
    let container = spec.containers.iter().find(named).or(spec.containers.first());
    let told = || metadata.annotations.as_ref()?.get("prometheus.io/port")?.parse().ok();
    let address = status.pod_ip.as_deref().and_then(|address| address.parse().ok());
    let port = container.and_then(|container| port(component, container)).or_else(told);
    Some(Found {
        component,
        ready,
        url: address.zip(port).and_then(|(address, port)| url(address, port)),
        version: container.and_then(|container| tag(container.image.as_deref()?)),
        time_zone: container.and_then(time_zone),
        namespace: metadata.namespace,
        pod: metadata.name,
    })
}

/// What the port with the metrics is called: the dashboard's `http` is that of its pages.
fn ports(component: Component) -> &'static [&'static str] {
    match component {
        Component::ControllerManager | Component::Daemon => &["http"],
        Component::Dashboard => &["metric"],
        Component::DnsServer => &["metrics", "metric"],
    }
}

fn port(component: Component, container: &Container) -> Option<u16> {
    let known = |port: &&Port| port.name.as_deref().is_some_and(|name| ports(component).contains(&name));
    container.ports.iter().flatten().find(known).map(|port| port.container_port)
}

fn url(address: IpAddr, port: u16) -> Option<Uri> {
    format!("http://{}/metrics", std::net::SocketAddr::new(address, port)).parse().ok().filter(|_| port > 0)
}

/// What stands behind the last colon of the last part, a digest left aside.
fn tag(image: &str) -> Option<String> {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').map(|(_, tag)| tag.to_owned()).filter(|tag| !tag.is_empty())
}

fn time_zone(container: &Container) -> Option<String> {
    let variable = container.env.iter().flatten().find(|variable| variable.name == "TZ")?;
    variable.value.clone().filter(|zone| !zone.is_empty())
}

// Of a pod, what is needed here. `null` is the same as absent, as everywhere in the API.

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    image: Option<String>,
    ports: Option<Vec<Port>>,
    env: Option<Vec<Variable>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    name: Option<String>,
    container_port: u16,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(component: &str, name: &str) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "chaos-mesh", "labels": {"app.kubernetes.io/component": component}, "annotations": null},
            "spec": {"containers": [
                {"name": "sidecar", "image": "proxy"},
                {"name": "main", "image": "ghcr.io:5000/chaos-mesh/chaos-mesh:v2.8.3@sha256:00",
                 "env": [{"name": "TZ", "value": "Europe/Berlin"}],
                 "ports": [{"name": "webhook", "containerPort": 10250}, {"name": "http", "containerPort": 10080}]}
            ]},
            "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]}
        })
    }

    #[allow(clippy::needless_pass_by_value)] // as `pods` takes it
    fn read(pods: Vec<Value>) -> Vec<Found> {
        super::pods(json!({ "items": pods }))
    }

    #[test]
    fn a_pod_tells_where_its_page_is_and_what_it_runs() {
        let wanted = Found {
            namespace: "chaos-mesh".into(),
            pod: "c-0".into(),
            component: Component::ControllerManager,
            ready: true,
            url: Some(Uri::from_static("http://10.0.0.7:10080/metrics")),
            version: Some("v2.8.3".into()),
            time_zone: Some("Europe/Berlin".into()),
        };
        assert_eq!(read(vec![pod("controller-manager", "c-0")]), [wanted]);
    }

    #[test]
    fn the_dashboards_own_page_is_not_its_metrics() {
        let mut dashboard = pod("chaos-dashboard", "d-0");
        assert_eq!(read(vec![dashboard.clone()])[0].url, None);
        dashboard["metadata"]["annotations"] = json!({"prometheus.io/port": "2334"});
        dashboard["status"]["podIP"] = json!("fd00::7");
        assert_eq!(read(vec![dashboard])[0].url, Some(Uri::from_static("http://[fd00::7]:2334/metrics")));
    }

    #[test]
    fn who_is_not_ready_or_on_its_way_out_is_known_and_not_asked() {
        let mut pods = vec![pod("controller-manager", "starting"), pod("controller-manager", "leaving"), pod("controller-manager", "new")];
        pods[0]["status"]["conditions"][1]["status"] = json!("False");
        pods[1]["metadata"]["deletionTimestamp"] = json!("2026-11-21T14:00:00Z");
        pods[2]["status"] = json!({"phase": "Pending"});
        assert_eq!(read(pods).iter().map(|found| found.ready).collect::<Vec<_>>(), [false; 3]);
    }

    #[test]
    fn odd_pods_cost_only_themselves() {
        let mut odd = vec![json!(null), json!({"metadata": {}}), pod("chaos-daemon-2", "other"), pod("chaos-dns-server", "fine")];
        odd[3]["status"]["podIP"] = json!("not an address");
        odd[3]["spec"]["containers"][1]["env"] = json!([{"name": "TZ", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]);
        odd[3]["spec"]["containers"][1]["ports"] = json!([{"name": "metrics", "containerPort": 9153}]);
        odd.push(pod("controller-manager", "huge"));
        odd[4]["spec"]["containers"][1]["ports"][1]["containerPort"] = json!(99_999);
        let found = read(odd);
        let [fine] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((fine.pod.as_str(), &fine.url, &fine.time_zone), ("fine", &None, &None));
        assert_eq!(super::pods(json!([])), []);
    }

    #[test]
    fn tags_are_told_from_ports_and_digests() {
        for (image, wanted) in [
            ("ghcr.io/chaos-mesh/chaos-mesh:v2.8.3", Some("v2.8.3")),
            ("localhost:5000/chaos-mesh", None),
            ("chaos-mesh@sha256:00ff", None),
            ("chaos-mesh:latest@sha256:00ff", Some("latest")),
            ("", None),
            ("a:", None),
        ] {
            assert_eq!(tag(image).as_deref(), wanted, "{image}");
        }
    }
}

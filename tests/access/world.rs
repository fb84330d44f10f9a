//! An API server with an audit log of the reviews, callers with service accounts, and runs to look at.
//!
//! Apart from the tests, which say what each caller sees.

use crate::kit::kube::Kube;
use crate::kit::kube::{NOBODY, Options};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chaoscope::serve::access::{Access, Config, Denied, Mode, Viewer};
use chaoscope_model::event::Event;
use chaoscope_model::run::Run;
use reqwest::Method;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Whom Chaoscope's tokens are meant for.
pub(crate) const AUDIENCE: &str = "chaoscope";
/// Name of the cluster, as Chaoscope was told.
pub(crate) const CLUSTER: &str = "lab";
/// Chaoscope's own account, as the manifests have it.
const OWN: (&str, &str) = ("chaoscope", "chaoscope");

/// The API server and who asks it.
pub(crate) struct World {
    pub(crate) kube: Kube,
    /// The audit log and its policy.
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// A new API server with the kinds a test needs, and Chaoscope's account with the rights of the manifests.
    pub(crate) fn new() -> Self {
        let world = Self::without_rights();
        world.grant();
        world
    }

    /// The same, with the reviews not granted yet.
    pub(crate) fn without_rights() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reviews =
            json!([{ "group": "authentication.k8s.io" }, { "group": "authorization.k8s.io", "resources": ["subjectaccessreviews"] }]);
        let policy = json!({ "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{ "level": "Request", "verbs": ["create"], "resources": reviews }, { "level": "None" }] });
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("policy.json"), policy.to_string()).unwrap();
        let flags =
            vec![format!("--audit-policy-file={}", at("policy.json").display()), format!("--audit-log-path={}", at("audit.log").display())];
        let kube = Kube::start_with(&Options { flags, tokens: vec![] });
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let world = Self { kube, folder, runtime };
        for namespace in [OWN.0, "team-a", "team-b", "shop", "bank"] {
            world.kube.namespace(namespace);
        }
        world.account(OWN.0, OWN.1);
        world
    }

    /// Grants the reviews, as the base does.
    pub(crate) fn grant(&self) {
        self.apply("base/reviews.yaml");
    }

    /// Creates what a file of `manifests/` says.
    fn apply(&self, file: &str) {
        let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests");
        let text = std::fs::read_to_string(Path::new(manifests).join(file)).unwrap();
        for object in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            self.kube.create(&object);
        }
    }

    /// Gives Chaoscope's account the base role, and answers a token of it for the API server.
    pub(crate) fn grant_base(&self) -> String {
        self.apply("base/clusterrole.yaml");
        self.kube.create(
            &json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "base" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "chaoscope" },
            "subjects": [{ "kind": "ServiceAccount", "name": OWN.1, "namespace": OWN.0 }] }),
        );
        self.token(OWN.0, OWN.1, None, None)
    }

    /// A service account.
    pub(crate) fn account(&self, namespace: &str, name: &str) -> Value {
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        let (status, answer) = self.kube.call(Method::POST, &format!("/api/v1/namespaces/{namespace}/serviceaccounts"), Some(&account));
        assert_eq!(status, 201, "{answer}");
        answer
    }

    /// A token of an account, meant for `audience`; `secret`: it ends with that secret.
    pub(crate) fn token(&self, namespace: &str, name: &str, audience: Option<&str>, secret: Option<&Value>) -> String {
        let reference =
            |it: &Value| json!({ "apiVersion": "v1", "kind": "Secret", "name": it["metadata"]["name"], "uid": it["metadata"]["uid"] });
        let spec = json!({ "audiences": audience.into_iter().collect::<Vec<_>>(), "boundObjectRef": secret.map(reference) });
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let (status, answer) = self.kube.call(Method::POST, &path, Some(&request));
        assert_eq!(status, 201, "{answer}");
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    /// An account in `team-a` with these rights, `plural` or `plural@namespace`, and its token for Chaoscope.
    pub(crate) fn caller(&self, name: &str, rights: &[&str]) -> String {
        self.account("team-a", name);
        let rights =
            rights.iter().map(|right| right.split_once('@').map_or((*right, None), |(plural, namespace)| (plural, Some(namespace))));
        for (index, (plural, namespace)) in rights.enumerate() {
            self.allow(name, &format!("{name}-{index}"), plural, namespace);
        }
        self.token("team-a", name, Some(AUDIENCE), None)
    }

    /// Lets a service account of `team-a` list a resource, everywhere or in one namespace.
    pub(crate) fn allow(&self, name: &str, role: &str, plural: &str, namespace: Option<&str>) {
        let group = if plural == "pods" { "" } else { "chaos-mesh.org" };
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let version = "rbac.authorization.k8s.io/v1";
        let metadata = json!({ "name": role, "namespace": namespace });
        let rules = json!([{ "apiGroups": [group], "resources": [plural], "verbs": ["list"] }]);
        self.kube.create(&json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules }));
        self.kube.create(&json!({ "apiVersion": version, "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": "team-a" }] }));
    }

    /// A token as the API server itself would sign it, with claims of our own: seconds from now at which it ends.
    pub(crate) fn signed(&self, account: &Value, ends_in: i64) -> String {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let (namespace, name) = (&account["metadata"]["namespace"], &account["metadata"]["name"]);
        let subject = format!("system:serviceaccount:{}:{}", namespace.as_str().unwrap(), name.as_str().unwrap());
        let claims = json!({ "iss": "https://kubernetes.default.svc", "aud": [AUDIENCE], "sub": subject, "jti": format!("{now}-{ends_in}"),
            "iat": now - 3600, "nbf": now - 3600, "exp": now + ends_in,
            "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": name, "uid": account["metadata"]["uid"] } } });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256", "typ": "JWT" })), part(&claims));
        let key = PrivatePkcs8KeyDer::from_pem_file(self.kube.authority().with_file_name("account.key")).unwrap();
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &random).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(key.sign(&random, text.as_bytes()).unwrap()))
    }

    /// Chaoscope's access checks, by its own account.
    pub(crate) fn access(&self) -> Access {
        let token = self.token(OWN.0, OWN.1, None, None);
        let file = self.folder.path().join("own-token");
        std::fs::write(&file, token).unwrap();
        self.access_by(&self.kube.kubeconfig_with_file(&file))
    }

    /// A kubeconfig of Chaoscope's own account, with the rights of the base and whatever else it was granted.
    pub(crate) fn own_kubeconfig(&self) -> PathBuf {
        let file = self.folder.path().join("own-token");
        std::fs::write(&file, self.grant_base()).unwrap();
        self.kube.kubeconfig_with_file(&file)
    }

    /// Chaoscope's access checks, by this kubeconfig.
    pub(crate) fn access_by(&self, kubeconfig: &Path) -> Access {
        let client = self.wait(async {
            let file = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
            let config = kube::Config::from_custom_kubeconfig(file, &kube::config::KubeConfigOptions::default()).await.unwrap();
            kube::Client::try_from(config).unwrap()
        });
        Access::open(Config { mode: Mode::Kubernetes { client, cluster: CLUSTER.to_owned() } }).unwrap()
    }

    /// How many reviews the API server was asked for until now: of tokens, of rights.
    pub(crate) fn reviews(&self) -> (usize, usize) {
        let log = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default();
        let of = |plural: &str| log.lines().filter(|line| line.contains(&format!("\"resource\":\"{plural}\""))).count();
        (of("tokenreviews"), of("subjectaccessreviews"))
    }

    /// The audit log's requests for one kind of review.
    pub(crate) fn requests(&self, plural: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["objectRef"]["resource"] == plural).map(|mut line| line["requestObject"].take()).collect()
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The caller with this token.
    pub(crate) fn viewer(&self, access: &Access, token: &str) -> Result<Viewer, Denied> {
        self.wait(access.viewer(&bearer(token)))
    }
}

/// The headers of a request with this token.
pub(crate) fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())])
}

/// A token that the API server takes and that is meant for nobody in particular.
pub(crate) const STATIC: &str = NOBODY;

/// A network experiment `name` of `namespace` on pods `namespace/pod`.
pub(crate) fn run(namespace: &str, name: &str, targets: &[&str]) -> Run {
    let target = |id: &&str| {
        let (namespace, pod) = id.split_once('/').unwrap();
        json!({ "id": id, "namespace": namespace, "pod": pod, "container": "", "netns": "", "node": "", "workload": "",
            "workload_kind": "", "role": "selected", "precision": {}, "message": "" })
    };
    let targets: Vec<_> = targets.iter().map(target).collect();
    serde_json::from_value(json!({ "id": name, "tool": "chaos-mesh", "cluster": CLUSTER, "kind": "NetworkChaos", "action": "partition",
        "namespace": namespace, "name": name, "uid": name, "ordinal": 1, "phase": "running", "started_at": "2026-01-01T00:00:00Z",
        "baseline": false, "precision": {}, "parameters": {}, "labels": {}, "targets": targets }))
    .unwrap()
}

/// An event of a run about one of its targets.
pub(crate) fn event(run: &Run, target: &str) -> Event {
    let (namespace, pod) = target.split_once('/').unwrap();
    serde_json::from_value(json!({ "key": "k", "run": run.id, "tool": "chaos-mesh", "cluster": CLUSTER, "kind": run.kind,
        "namespace": run.namespace, "name": run.name, "uid": run.uid, "at": "2026-01-01T00:00:00Z", "precision": "s", "type": "Normal",
        "reason": "Applied", "message": "", "target_namespace": namespace, "target_pod": pod, "target_container": "", "attributes": {},
        "announced": false }))
    .unwrap()
}

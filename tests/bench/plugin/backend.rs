//! The backend as a process, and the host's side of its gRPC: what is asked, what comes back, what it costs.

use crate::process::Running;
use arrow_ipc::reader::FileReader;
use chaoscope_datasource::plugin::COOKIE;
use grafana_plugin_sdk::pluginv2::data_client::DataClient;
use grafana_plugin_sdk::pluginv2::diagnostics_client::DiagnosticsClient;
use grafana_plugin_sdk::pluginv2::{
    CheckHealthRequest, DataQuery, DataSourceInstanceSettings, PluginContext, QueryDataRequest, QueryDataResponse, TimeRange,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Cursor};
use std::process::{Command, Stdio};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};

/// As Grafana takes.
const LARGEST: usize = 16 << 20;

pub struct Backend {
    running: Running,
    address: String,
    runtime: Runtime,
    channel: Option<Channel>,
}

/// Annotations of what ran in a window.
pub struct Question<'a> {
    pub url: &'a str,
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Backend {
    /// Starts it and reads its handshake.
    pub fn start() -> Self {
        let (read, write) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpx_chaoscope"));
        command.env_clear().env(COOKIE.0, COOKIE.1).stdout(write).stderr(Stdio::null());
        let running = Running::start(&mut command);
        drop(command);
        let mut line = String::new();
        BufReader::new(read).read_line(&mut line).unwrap();
        let address = line.split('|').nth(3).expect("a handshake").to_owned();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { running, address, runtime, channel: None }
    }

    /// The one connection a host keeps.
    pub fn connect(&mut self) {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        self.channel = Some(self.runtime.block_on(endpoint.connect()).unwrap());
    }

    fn channel(&self) -> Channel {
        self.channel.clone().expect("connected")
    }

    /// Whether it is well.
    pub fn check(&self) {
        let request = CheckHealthRequest::default();
        self.runtime.block_on(DiagnosticsClient::new(self.channel()).check_health(request)).unwrap();
    }

    /// One call with one query; the frame that answers it.
    pub fn ask(&self, question: &Question) -> Vec<u8> {
        let mut client = DataClient::new(self.channel()).max_decoding_message_size(LARGEST);
        let answer = self.runtime.block_on(client.query_data(asked(question))).unwrap();
        frame(answer.into_inner())
    }

    /// All calls at once.
    pub fn ask_all(&self, all: Vec<QueryDataRequest>) -> Vec<Vec<u8>> {
        let channel = self.channel();
        let one = |request| {
            let mut client = DataClient::new(channel.clone()).max_decoding_message_size(LARGEST);
            async move { frame(client.query_data(request).await.unwrap().into_inner()) }
        };
        self.runtime.block_on(futures_util::future::join_all(all.into_iter().map(one)))
    }

    /// MiB it holds, and held at most.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.running.pid())).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Seconds of processor it has used. proc(5): fields 14 and 15, in ticks of 10 ms.
    pub fn processor(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.running.pid())).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

/// What is saved in a dashboard.
pub fn query() -> Value {
    json!({ "refId": "A", "queryType": "annotations", "filters": {}, "limit": 1000 })
}

/// What Grafana sends.
pub fn asked(question: &Question) -> QueryDataRequest {
    let settings = DataSourceInstanceSettings {
        url: question.url.to_owned(),
        uid: "bench".to_owned(),
        json_data: br#"{"origin":"chaoscope"}"#.to_vec(),
        last_updated_ms: 1,
        ..DataSourceInstanceSettings::default()
    };
    let context = PluginContext { org_id: 1, data_source_instance_settings: Some(settings), ..PluginContext::default() };
    let range = TimeRange { from_epoch_ms: question.from.as_millisecond(), to_epoch_ms: question.to.as_millisecond() };
    let query = DataQuery {
        ref_id: "A".to_owned(),
        max_data_points: 500,
        interval_ms: 15_000,
        time_range: Some(range),
        json: query().to_string().into_bytes(),
        query_type: "annotations".to_owned(),
    };
    QueryDataRequest { plugin_context: Some(context), queries: vec![query], ..QueryDataRequest::default() }
}

fn frame(mut answer: QueryDataResponse) -> Vec<u8> {
    let mut answer = answer.responses.remove("A").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.error);
    answer.frames.remove(0)
}

/// How many rows a frame has.
pub fn rows(frame: &[u8]) -> usize {
    FileReader::try_new(Cursor::new(frame), None).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
}

//! What a pod says about itself: resource attributes.

use super::faults::{DEPLOYED_SERVICE, DEPLOYED_VERSION, Faults};
use super::shop::SERVICES;
use super::trace::{Attributes, Pod};

/// The instrumentation scope of everything the shop sends.
pub const SCOPE_NAME: &str = "shop.instrumentation";
/// Its version.
pub const SCOPE_VERSION: &str = "1.4.0";

/// All pods of the shop.
pub fn pods() -> impl Iterator<Item = Pod> {
    SERVICES
        .iter()
        .enumerate()
        .flat_map(|(service, row)| (0..row.replicas).map(move |replica| Pod { service, replica }))
}

/// The version that runs in the pod at that time.
pub fn version(pod: Pod, faults: &Faults, t_ns: i64) -> &'static str {
    let service = &SERVICES[pod.service];
    if service.name == DEPLOYED_SERVICE && faults.is_deployed(pod.replica, t_ns) {
        return DEPLOYED_VERSION;
    }
    service.version
}

/// The attributes of a pod that runs that version.
pub fn attributes(pod: Pod, version: &str) -> Attributes {
    let service = &SERVICES[pod.service];
    // A deployment replaces pods, so that the version is part of their names.
    let mark = version
        .bytes()
        .chain(service.name.bytes())
        .fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    let pod_name = format!("{}-{:08x}-{}", service.name, mark, pod.replica);
    vec![
        ("service.name", service.name.into()),
        ("service.namespace", "shop".into()),
        ("service.version", version.into()),
        ("service.instance.id", format!("{pod_name}.shop").into()),
        ("deployment.environment.name", "demo".into()),
        ("telemetry.sdk.name", "opentelemetry".into()),
        ("telemetry.sdk.language", service.language.into()),
        ("telemetry.sdk.version", "1.38.0".into()),
        ("k8s.cluster.name", "demo-1".into()),
        ("k8s.namespace.name", "shop".into()),
        ("k8s.deployment.name", service.name.into()),
        ("k8s.pod.name", pod_name.into()),
        ("k8s.node.name", format!("node-{}", (pod.service + pod.replica) % 4 + 1).into()),
        ("cloud.region", "eu-central-1".into()),
        ("process.pid", (1 + i64::from(mark % 9)).into()),
    ]
}

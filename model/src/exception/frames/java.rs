//! Java, Kotlin, Scala: `at module/package.Class.method(File.java:12)`.

use super::{Frame, contains_any, starts_with_any};

const EXTENSIONS: [&str; 7] = ["java", "kt", "kts", "scala", "groovy", "clj", "jsp"];
const NO_FILE: [&str; 4] = ["Native Method", "Unknown Source", "<generated>", "SourceFile"];
/// Packages of the runtime and of widespread libraries.
#[rustfmt::skip]
const LIBRARIES: &[&str] = &[
    "java.", "javax.", "jakarta.", "jdk.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.",
    "groovy.", "org.codehaus.groovy.", "clojure.", "android.", "androidx.", "dalvik.",
    "org.springframework.", "org.apache.", "org.hibernate.", "org.eclipse.", "org.jboss.",
    "org.glassfish.", "org.postgresql.", "org.h2.", "org.mongodb.", "com.mongodb.", "com.mysql.",
    "org.mariadb.", "oracle.", "org.slf4j.", "ch.qos.logback.", "org.junit.", "junit.",
    "org.aspectj.", "org.elasticsearch.", "org.jooq.", "org.mybatis.", "org.quartz.",
    "org.redisson.", "org.wildfly.", "org.xnio.", "com.google.common.", "com.google.inject.",
    "com.google.protobuf.", "com.fasterxml.", "com.zaxxer.", "com.netflix.", "com.rabbitmq.",
    "com.github.benmanes.", "com.datastax.", "com.amazonaws.", "software.amazon.", "com.azure.",
    "com.squareup.", "okhttp3.", "okio.", "retrofit2.", "feign.", "reactor.", "rx.",
    "io.reactivex.", "io.netty.", "io.grpc.", "io.opentelemetry.", "io.micrometer.", "io.lettuce.",
    "io.undertow.", "io.vertx.", "io.quarkus.", "io.micronaut.", "io.ktor.", "io.jsonwebtoken.",
    "io.r2dbc.", "io.github.resilience4j.", "akka.", "play.", "net.bytebuddy.", "net.sf.cglib.",
    "redis.clients.", "brave.", "zipkin2.", "lombok.", "graphql.",
];
/// What generated classes have in their names.
const GENERATED: [&str; 4] = ["CGLIB$$", "$$Lambda", "$Proxy", "$HibernateProxy$"];

pub(super) fn frame(line: &str) -> Option<Frame> {
    let rest = line.trim().strip_prefix("at ")?;
    let (name, place) = rest.split_once('(')?;
    // Packaging data may follow: `~[spring-web-5.3.jar:5.3]`.
    let (place, _) = place.split_once(')')?;
    let file = place.rsplit_once(':').map_or(place, |(file, _)| file);
    let extension = file.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = NO_FILE.contains(&file) || extension.is_some_and(|e| EXTENSIONS.contains(&e));
    if name.is_empty() || name.contains(char::is_whitespace) || !is_file {
        return None;
    }
    let function = name.rsplit_once('/').map_or(name, |(_, function)| function);
    let in_app = !starts_with_any(function, LIBRARIES)
        && !contains_any(function, &GENERATED)
        && function.contains('.');
    let file = if NO_FILE.contains(&file) { "" } else { file };
    Some(Frame::new(function, file, in_app))
}

//! Figures that are kept elsewhere and read at each look.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// Kind of a figure: one that only grows, or one that goes up and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

struct Reading<F> {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: F,
}

struct Labelled<F> {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    read: F,
}

pub(crate) fn register(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: impl Fn() -> u64 + Send + Sync + 'static,
) {
    registry.register_collector(Box::new(Reading { name, help, kind, read }));
}

pub(crate) fn register_labelled(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    label: &'static str,
    read: impl Fn() -> Vec<(String, u64)> + Send + Sync + 'static,
) {
    registry.register_collector(Box::new(Labelled { name, help, label, read }));
}

impl<F: Fn() -> u64 + Send + Sync + 'static> Collector for Reading<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let value = (self.read)();
        let kind = match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let described = encoder.encode_descriptor(self.name, self.help, None, kind)?;
        match self.kind {
            Kind::Counter => ConstCounter::new(value).encode(described),
            Kind::Gauge => ConstGauge::new(value).encode(described),
        }
    }
}

impl<F: Fn() -> Vec<(String, u64)> + Send + Sync + 'static> Collector for Labelled<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family: MetricEncoder<'_> =
            encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
        for (value, count) in (self.read)() {
            let labels = [(self.label, value)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl<F> fmt::Debug for Reading<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reading").field(&self.name).finish()
    }
}

impl<F> fmt::Debug for Labelled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Labelled").field(&self.name).finish()
    }
}

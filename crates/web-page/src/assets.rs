//! The files of the page, as they stand in `assets/`.

/// A file and where it is served.
pub(crate) struct Asset {
    /// Of the address.
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! assets {
    ($($content_type:ident $name:literal),+ $(,)?) => {
        &[$(Asset {
            path: concat!("/assets/", $name),
            content_type: $content_type,
            bytes: include_bytes!(concat!("../assets/", $name)),
        }),+]
    };
}

/// The page itself.
pub(crate) static PAGE: Asset =
    Asset { path: "/", content_type: HTML, bytes: include_bytes!("../assets/index.html") };

/// Everything that the page is made of.
pub(crate) static ASSETS: &[Asset] = assets![
    SCRIPT "app.js",
    CSS "base.css",
    SVG "icon.svg",
    CSS "views.css",
    SCRIPT "core/api.js",
    SCRIPT "core/backoff.js",
    SCRIPT "core/chain.js",
    SCRIPT "core/chart.js",
    SCRIPT "core/chip.js",
    SCRIPT "core/connection.js",
    SCRIPT "core/decimal.js",
    SCRIPT "core/dom.js",
    SCRIPT "core/event-stream.js",
    SCRIPT "core/format.js",
    SCRIPT "core/identity-dialog.js",
    SCRIPT "core/identity.js",
    SCRIPT "core/server.js",
    SCRIPT "core/theme.js",
    SCRIPT "log/messages.js",
    SCRIPT "market/checksum.js",
    SCRIPT "market/depth-chart.js",
    SCRIPT "market/ladder.js",
    SCRIPT "market/level-book.js",
    SCRIPT "market/market-stream.js",
    SCRIPT "market/order-entry.js",
    SCRIPT "market/own-orders.js",
    SCRIPT "market/past-trades.js",
    SCRIPT "market/picker.js",
    SCRIPT "market/sample.js",
    SCRIPT "market/trade-tape.js",
    SCRIPT "swap/form.js",
    SCRIPT "swap/life.js",
    SCRIPT "swap/order-stream.js",
    SCRIPT "swap/quotes.js",
    SCRIPT "swap/recent.js",
    TEXT "vendor/uPlot.LICENSE.txt",
    CSS "vendor/uPlot.css",
    SCRIPT "vendor/uPlot.js",
    SCRIPT "views/log.js",
    SCRIPT "views/market.js",
    SCRIPT "views/state.js",
    SCRIPT "views/swap.js",
    SCRIPT "views/travel.js",
];

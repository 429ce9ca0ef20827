//! Prints every schema: the name of its file, its text, an empty line. `cargo xtask schemas` puts them in their place.

use fillstream_domain::schema::EVERY_EVENT;

fn main() {
    for event in &EVERY_EVENT {
        println!("{}\n{}", event.file_name(), event.document());
    }
}

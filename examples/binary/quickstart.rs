//! The example `quickstart` as a binary, so that running it builds no dependency of the tests, as every example does.

#[path = "../quickstart.rs"]
mod quickstart;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    quickstart::main()
}

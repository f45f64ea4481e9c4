//! What the two mounts of one source differ in: whether it waits, and the shape of its examples.

/// Blocking code.
#[cfg(feature = "blocking")]
pub(crate) mod blocking {
    pub(crate) use maybe_async::must_be_sync as dual;

    /// An example of this mount: `.await` stands between its parts in the other one.
    macro_rules! example {
        ($first:literal $(, $rest:literal)*) => {
            concat!(
                "```\n# #[cfg(feature = \"emulator\")] {\n# #[allow(unused_imports)]\n# use lumoauth::{*, emulator::Emulator};\n",
                "# let emulator = Emulator::demo()?;\n# let agent = emulator.agent()?;\n",
                $first,
                $($rest,)*
                "\n# }\n# Ok::<(), Box<dyn std::error::Error>>(())\n```"
            )
        };
    }
    pub(crate) use example;
}

/// Async code.
#[cfg(feature = "async")]
pub(crate) mod asynchronous {
    pub(crate) use maybe_async::must_be_async as dual;

    /// An example of this mount: `.await` stands between its parts.
    macro_rules! example {
        ($first:literal $(, $rest:literal)*) => {
            concat!(
                "```\n# #[cfg(feature = \"emulator\")] {\n# #[allow(unused_imports)]\n# use lumoauth::{asynchronous::*, emulator::Emulator};\n",
                "# let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();\n# runtime.block_on(async {\n",
                "# let emulator = Emulator::demo()?;\n# let agent = emulator.async_agent()?;\n",
                $first,
                $(".await", $rest,)*
                "\n# Ok::<(), Box<dyn std::error::Error>>(())\n# }).unwrap() }\n```"
            )
        };
    }
    pub(crate) use example;
}

//! What the two mounts of one source differ in: whether it waits, how it names its twin, and the shape of its examples.

/// Blocking code.
#[cfg(feature = "blocking")]
pub(crate) mod blocking {
    pub(crate) use maybe_async::must_be_sync as dual;

    /// True on a thread of a runtime, which must not be held up. Runtimes other than tokio are known by the names of their threads only.
    pub(crate) fn on_a_runtime() -> bool {
        #[cfg(any(feature = "reqwest", feature = "emulator"))]
        if tokio::runtime::Handle::try_current().is_ok() {
            return true;
        }
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        ["tokio-", "async-std/", "smol-"].iter().any(|runtime| name.starts_with(runtime))
    }

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

    /// The first line of a type that is there twice: what it is, and where its twin is.
    macro_rules! twin {
        ($what:literal, $name:literal) => {
            concat!(
                $what,
                " Blocking; async code takes [`asynchronous::",
                $name,
                "`](crate",
                "::asynchronous::",
                $name,
                ")."
            )
        };
    }
    pub(crate) use twin;
}

/// Async code.
#[cfg(feature = "async")]
pub(crate) mod asynchronous {
    pub(crate) use maybe_async::must_be_async as dual;

    /// An example of this mount: `.await` stands between its parts.
    macro_rules! example {
        ($first:literal $(, $rest:literal)*) => {
            concat!(
                "```\n# #[cfg(feature = \"emulator\")] {\n# #[allow(unused_imports)]\n# use lumoauth::{Allowed, CheckPermission, CheckPermissions, GetVaultToken, Subject, Tuple, http};\n# #[allow(unused_imports)]\n# use lumoauth::{asynchronous::*, emulator::Emulator, guarded_actions};\n",
                "# let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();\n# runtime.block_on(async {\n",
                "# let emulator = Emulator::demo()?;\n# let agent = emulator.async_agent()?;\n",
                $first,
                $(".await", $rest,)*
                "\n# Ok::<(), Box<dyn std::error::Error>>(())\n# }).unwrap() }\n```"
            )
        };
    }
    pub(crate) use example;

    /// The first line of a type that is there twice: what it is, and where its twin is.
    macro_rules! twin {
        ($what:literal, $name:literal) => {
            concat!($what, " Async; blocking code takes [`lumoauth::", $name, "`](crate::", $name, ").")
        };
    }
    pub(crate) use twin;
}

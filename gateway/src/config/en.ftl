## What is wrong with the configuration.

config-missing = the configuration { $path } does not exist: check the path (--config)
config-is-folder = the configuration { $path } is a folder: give the file (gateway.toml)
config-forbidden = the configuration { $path } is not open to this user: run it with sudo, or let them read it
config-not-text = the configuration { $path } is not text: save it as UTF-8
config-unreadable = the configuration { $path } cannot be read ({ $why }): check the disk
config-variable-unknown = unknown variable { $name }: correct it or remove it; known: { $known }
config-variable-wrong = { $variable } = “{ $given }” is wrong: { $why }
config-language = FOURNIL_LANGUAGE = “{ $given }” is no language here: write fr or en
config-log-level = [log] level: “{ $level }” is no level: write error, warn, info, debug or trace
config-name-twice = two devices are called “{ $name }”: give each a name of its own
config-cloud-url = [cloud] url: { $why }
config-client-half = [cloud] give client_cert and client_key together
config-journal = [journal] { $why }
config-not-toml = { $file }, line { $line }: this is not TOML ({ $why })
config-key-unknown = { $file }, line { $line }: unknown key “{ $key }”; known: { $known }
config-key-unknown-in = { $file }, line { $line }, [{ $section }]: unknown key “{ $key }”; known: { $known }
config-wrong-in = { $file }, line { $line }, [{ $section }]: { $why }
config-single-brackets = { $file }, line { $line }: write [[{ $section }]], with two brackets, once for each device

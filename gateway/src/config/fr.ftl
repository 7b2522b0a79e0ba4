## Ce qui ne va pas dans la configuration.

config-missing = la configuration { $path } n'existe pas : vérifiez le chemin (--config)
config-is-folder = la configuration { $path } est un dossier : donnez le fichier (gateway.toml)
config-forbidden = la configuration { $path } n'est pas ouverte à cet utilisateur : relancez avec sudo, ou donnez-lui le droit de la lire
config-not-text = la configuration { $path } n'est pas du texte : enregistrez-la en UTF-8
config-unreadable = la configuration { $path } est illisible ({ $why }) : vérifiez le disque
config-variable-unknown = variable inconnue { $name } : corrigez-la ou retirez-la ; connues : { $known }
config-variable-wrong = { $variable } = « { $given } » ne va pas : { $why }
config-language = FOURNIL_LANGUAGE = « { $given } » n'est pas une langue d'ici : écrivez fr ou en
config-log-level = [log] level : « { $level } » n'est pas un niveau : écrivez error, warn, info, debug ou trace
config-name-twice = deux appareils s'appellent « { $name } » : donnez à chacun son propre nom
config-cloud-url = [cloud] url : { $why }
config-client-half = [cloud] donnez client_cert et client_key ensemble
config-journal = [journal] { $why }
config-not-toml = { $file }, ligne { $line } : ce n'est pas du TOML ({ $why })
config-key-unknown = { $file }, ligne { $line } : clé inconnue « { $key } » ; connues : { $known }
config-key-unknown-in = { $file }, ligne { $line }, [{ $section }] : clé inconnue « { $key } » ; connues : { $known }
config-wrong-in = { $file }, ligne { $line }, [{ $section }] : { $why }
config-single-brackets = { $file }, ligne { $line } : écrivez [[{ $section }]], avec deux crochets, une fois par appareil

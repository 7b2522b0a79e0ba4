config-unreadable = le fichier { $file } ne se lit pas : { $cause }. Vérifiez son nom, ses droits et ceux de son dossier.
config-is-folder = { $file } est un dossier, pas un fichier. Donnez le chemin du fichier, par exemple « --config { $file }/cloud.toml ».
config-unknown-key = clé inconnue « { $key } » dans { $file }, ligne { $line }. Retirez-la ou corrigez-la (connues ici : { $known }).
config-malformed = { $file }, ligne { $line } : { $cause }. Corrigez cette ligne.
config-no-listener = aucune adresse d'écoute. Donnez « web.listen » ou « web.listen_plain ».
config-half-certificate = il manque la moitié du certificat. Donnez « tls.cert_file » et « tls.key_file » ensemble.
config-no-certificate = aucun certificat pour « web.listen ». Donnez « tls.auto_dir », ou « tls.cert_file » et « tls.key_file ».
config-proxy = « { $value } » dans « web.trusted_proxies » n'est ni une adresse ni un bloc comme 10.0.0.0/8. Corrigez-la.

cli-no-command = aucune commande. Essayez « fournil-cloud --help ».
cli-failed = échec : { $cause }
cli-database-away = la base de données ne répond pas ({ $cause }). Vérifiez que PostgreSQL est démarré et l'adresse « database.url ».
cli-database-fault = la base de données a refusé : { $cause }
cli-database-url = l'adresse de la base est mal écrite ({ $cause }). Forme attendue : postgres://utilisateur@hôte/base.
cli-not-migrated = la base n'est pas préparée ({ $cause }). Lancez « fournil-cloud migrate up ».
cli-migration-failed = une migration a échoué : { $cause }. Rien n'a été changé par elle ; corrigez puis relancez « fournil-cloud migrate up ».
cli-migrations-wait = { $count } migration(s) en attente. Lancez « fournil-cloud migrate up », puis redémarrez.
cli-migrate-status = { $count ->
    [0] La base est à jour.
   *[other] { $count } migration(s) en attente. Lancez « fournil-cloud migrate up ».
}
cli-migrate-up = { $count ->
    [0] La base était déjà à jour.
   *[other] { $count } migration(s) appliquée(s).
}
cli-port-in-use = le port { $port } est déjà pris ({ $address }). Arrêtez l'autre programme (« ss -ltnp 'sport = :{ $port }' » le montre) ou changez « listen ».
cli-port-forbidden = le port { $port } est réservé ({ $address }). Donnez CAP_NET_BIND_SERVICE au service ou prenez un port au-dessus de 1023.
cli-port-failed = impossible d'écouter sur { $address } : { $cause }. Corrigez « listen ».
cli-tls = le certificat TLS ne peut pas servir : { $cause }. Vérifiez « tls » dans la configuration et les droits des fichiers.
cli-serving = Fournil est servi sur { $url }
cli-serving-plain = HTTP sans chiffrement, pour un mandataire : { $address }
cli-authority = Autorité privée à faire accepter par les navigateurs et les passerelles : { $file }
cli-unknown-user = aucun utilisateur n'a cette adresse. Vérifiez-la ou créez-le avec « fournil-cloud user create ».
cli-no-company = aucune entreprise n'existe encore. Ajoutez --new-company « nom ».
cli-which-company = plusieurs entreprises existent ({ $known }). Ajoutez --company « nom ».
cli-unknown-company = cette entreprise n'existe pas. Connues : { $known }.
cli-user-created = Utilisateur { $email } créé.
cli-password-reset = Le mot de passe de { $email } est remplacé et ses sessions sont fermées.
cli-password = Mot de passe : { $password }
cli-demo-loaded = { $company } : chargée, avec { $tickets } tickets d'historique.
cli-demo-known = { $company } : déjà chargée ({ $tickets } tickets d'historique).
cli-demo-password = DÉMONSTRATION SEULEMENT. Mot de passe de tous les comptes ci-dessous : { $password }

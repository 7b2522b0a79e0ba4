cli-no-command = aucune commande. Essayez « fournil-cloud --help ».
cli-failed = échec : { $cause }
cli-database-away = la base de données ne répond pas ({ $cause }). Vérifiez que PostgreSQL est démarré et l'adresse « database.url ».
cli-database-fault = la base de données a refusé : { $cause }
cli-database-url = l'adresse de la base est mal écrite ({ $cause }). Forme attendue : postgres://utilisateur@hôte/base.
cli-not-migrated = la base n'est pas préparée ({ $cause }). Lancez « fournil-cloud migrate up ».
cli-migration-failed = une migration a échoué : { $cause }. Rien n'a été changé par elle ; corrigez puis relancez « fournil-cloud migrate up ».
cli-schema-newer = la base vient d'une version plus récente : elle connaît la migration { $version }, que ce programme ({ $release }) ne connaît pas. Installez la version de fournil-cloud qui a apporté cette migration, ou une plus récente.
cli-schema-changed = la migration { $version } n'est pas celle que la base a reçue (ce programme : { $release }). Installez la version publiée de fournil-cloud qui a préparé cette base, ou une plus récente.
cli-schema-dirty = la migration { $version } est restée à moitié appliquée. Remettez la base depuis une sauvegarde, ou achevez la migration à la main, puis relancez « fournil-cloud migrate up » (ce programme : { $release }).
cli-migrations-wait = { $count } migration(s) en attente. Lancez « fournil-cloud migrate up », puis redémarrez.
cli-migrate-status = { $count ->
    [0] La base est à jour.
   *[other] { $count } migration(s) en attente. Lancez « fournil-cloud migrate up ».
}
cli-migrate-up = { $count ->
    [0] La base était déjà à jour.
   *[other] { $count } migration(s) appliquée(s).
}
cli-port-in-use = le port { $port } est déjà pris ({ $address }, clé « { $key } »). Arrêtez l'autre programme (« ss -ltnp 'sport = :{ $port }' » le montre) ou changez « { $key } ».
cli-port-forbidden = le port { $port } est réservé ({ $address }, clé « { $key } »). Donnez CAP_NET_BIND_SERVICE au service ou prenez dans « { $key } » un port au-dessus de 1023.
cli-port-failed = impossible d'écouter sur { $address } : { $cause }. Corrigez « { $key } ».
cli-tls = le certificat TLS ne peut pas servir : { $cause }. Vérifiez « tls » dans la configuration et les droits des fichiers.
cli-tls-half-authority = il manque { $missing } à côté de { $present }. Remettez ce fichier depuis une sauvegarde. S'il est perdu, déplacez aussi { $present } ailleurs : une nouvelle autorité sera faite, à faire accepter de nouveau par les navigateurs et les passerelles.
cli-authority-unreadable = le certificat d'autorité { $file } est illisible : { $cause }. Corrigez « tls.ca_file » ou les droits du fichier.
cli-no-gateway-ca = l'autorité des certificats de passerelle n'existe pas dans { $folder }. Faites-la avec « fournil-cloud gateway-ca init », ou mettez « tunnel.client_certificates » à « off ».
cli-gateway-ca-made = Autorité des certificats de passerelle : { $file }
cli-gateway-ca-issued = Certificat { $serial } pour la passerelle { $holder }, valable jusqu'au { $until } : { $certificate } et { $key }. Portez ces deux fichiers sur la machine (clé en 0600) et nommez-les dans [cloud] client_cert et client_key de gateway.toml.
cli-gateway-ca-none = Aucun certificat n'a été émis.
cli-gateway-ca-line = { $serial } · passerelle { $holder } · jusqu'au { $until } · { $state ->
    [revoked] révoqué
   *[good] en service
}
cli-gateway-ca-revoked = Certificat { $serial } révoqué : les serveurs le refusent dans la minute (tout de suite après « systemctl reload fournil-cloud »). Une session ouverte se coupe en révoquant la passerelle, ou en redémarrant.
cli-gateway-ca-unknown = aucun certificat n'a le numéro { $serial }. « fournil-cloud gateway-ca list » les montre.
cli-gateway-ca-which = « { $name } » n'est ni l'identifiant ni le nom d'une passerelle. Voyez la page Passerelles.
cli-gateway-ca-out = le fichier { $file } ne peut pas être écrit : { $cause }. Donnez un autre dossier avec --out.
cli-waiting-database = PostgreSQL ne répond pas ({ $cause }). Vérifiez qu'il est démarré et que la clé « database.url » est juste ; nouvel essai toutes les { $seconds } secondes, les pages répondent 503 en attendant.
cli-database-back = PostgreSQL répond, les pages sont ouvertes.
cli-name = « { $flag } » : écrivez un nom, de { $most } caractères au plus.
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

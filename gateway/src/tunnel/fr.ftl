## Le tunnel : où est le cloud, qui est cru, pourquoi une session finit.

tunnel-resolve = le nom { $host } est introuvable ({ $why }) : vérifiez l'adresse et le DNS de la boutique
tunnel-tcp = { $target } ne répond pas ({ $why }) : vérifiez que le cloud marche et que rien ne ferme le port { $port } en sortie
tunnel-not-tls = { $target } répond, mais pas en TLS ({ $why }) : vérifiez le port, ou un portail captif
tunnel-upgrade = { $target } répond, mais n'ouvre pas le tunnel ({ $why }) : vérifiez que c'est bien un cloud Fournil, à jour, sans mandataire qui coupe les WebSocket
tunnel-busy = { $target } est occupé ou redémarre (HTTP { $status }) : la passerelle revient d'elle-même
tunnel-not-a-cloud = { $target } n'a pas répondu comme un cloud Fournil ({ $why }) : vérifiez l'adresse
tunnel-too-many-tries = trop d'essais depuis cette adresse : recommencez dans { $seconds } s
tunnel-why-silent = pas de réponse
tunnel-why-refused = connexion refusée
tunnel-why-cut = connexion coupée
tunnel-why-unreachable = réseau injoignable
tunnel-why-no-address = aucune adresse
tunnel-why-no-name = nom impossible à vérifier

tunnel-address = « { $address } » n'est pas l'adresse d'un cloud ({ $why }) : écrivez https://nom[:port]
tunnel-address-none = ce n'est pas une adresse Internet
tunnel-address-no-tls = sans TLS, rien n'est protégé
tunnel-address-scheme = il manque https://
tunnel-address-path = rien ne doit suivre le nom et le port
tunnel-address-host = il manque le nom
tunnel-address-user = ni nom d'utilisateur ni mot de passe ici
tunnel-address-name = ce nom ne peut pas être vérifié par TLS

tunnel-authority-unreadable = le certificat d'autorité { $path } est illisible ({ $why }) : il faut un fichier PEM lisible par la passerelle
tunnel-authority-empty = { $path } ne contient aucun certificat : il faut un fichier PEM
tunnel-tls-setup = TLS ne peut pas être préparé
tunnel-client-unusable = le certificat client { $path } ou sa clé ne peut pas servir ({ $why }) : corrigez [cloud] client_cert et client_key, ou demandez-en un autre au cloud
tunnel-client-refused = { $target } refuse le certificat client de cette passerelle ({ $why }) : demandez-en un autre (« fournil-cloud gateway-ca issue ») et corrigez [cloud] client_cert
tunnel-certificate-public = le certificat de { $host } n'est signé par aucune autorité publique : si ce cloud a la sienne, donnez-la (enrol --ca FICHIER, ou ca_file dans [cloud])
tunnel-certificate-other = le certificat de { $host } n'est pas signé par l'autorité { $path } : ce n'est peut-être pas votre cloud ; vérifiez l'adresse, puis l'autorité
tunnel-certificate-name = le certificat présenté n'est pas au nom de { $host } : vérifiez l'adresse, ou faites refaire le certificat du cloud à ce nom
tunnel-certificate-expired = le certificat de { $host } est périmé, ou l'heure de cette machine est fausse : vérifiez d'abord la date d'ici
tunnel-certificate-early = le certificat de { $host } n'est pas encore valable : l'heure de cette machine est sans doute fausse, remettez-la à l'heure
tunnel-certificate-refused = le certificat de { $host } est refusé ({ $why }) : voyez le cloud

tunnel-end-stopped = la passerelle s'arrête
tunnel-end-goodbye = le cloud a fermé la session : { $sentence } ({ $code }, { $reason })
tunnel-end-refused = session terminée ici : { $sentence } ({ $code }, { $reason })
tunnel-end-silent = le cloud ne dit plus rien
tunnel-end-cut = la connexion est coupée ({ $why })
tunnel-end-journal = le journal ne répond plus ({ $why })
tunnel-cut-wordless = fermée sans un mot
tunnel-cut-by-cloud = fermée par le cloud
tunnel-cut-closed = fermée
tunnel-journal-stopped = arrêté
tunnel-journal-gap = l'événement { $seq } manque
tunnel-journal-full = journal plein : des commandes du cloud attendent. Libérez de la place sur le disque (df -h), ou vérifiez l'imprimante qui retient les précédentes (fournil-gateway status)

tunnel-reason-drain = le serveur redémarre, la passerelle se reconnecte d'elle-même
tunnel-reason-superseded = une session plus récente de cette passerelle a pris le relais
tunnel-reason-heartbeat-lost = plus rien n'est arrivé pendant trop longtemps : vérifiez la connexion Internet si cela se répète
tunnel-reason-slow-consumer = l'autre côté ne lit plus : vérifiez le débit de la connexion si cela se répète
tunnel-reason-resync = les deux journaux sont à comparer, la session recommence
tunnel-reason-overload = le serveur a trop à faire, la passerelle revient quand il l'a dit
tunnel-reason-malformed = un message est illisible : mettez à jour la passerelle et le serveur si cela se répète
tunnel-reason-unavailable = l'autre côté ne peut rien enregistrer pour le moment : rien n'est perdu, la passerelle réessaie
tunnel-reason-rotate = le cloud demande une nouvelle clé, la passerelle en change et se reconnecte
tunnel-reason-revoked = cette passerelle a été révoquée. Pour la remettre en service, demandez un code dans la page Passerelles et lancez « fournil-gateway enrol --force »
tunnel-reason-unknown-key = le cloud ne reconnaît pas la clé de cette passerelle. Enrôlez-la de nouveau avec un code de la page Passerelles (« fournil-gateway enrol --force »)
tunnel-reason-clone = une autre machine utilise la même identité. Enrôlez l'une des deux de nouveau
tunnel-reason-version = versions incompatibles. Mettez à jour fournil-gateway sur cette machine
tunnel-reason-suspended = le compte est suspendu. Adressez-vous à votre fournisseur
tunnel-reason-unknown = pour une raison que cette version ne connaît pas : mettez la passerelle à jour

tunnel-rotate-credential = la clé est un « credential » de systemd : elle se change en enrôlant de nouveau, puis avec systemd-creds (voyez operations.md)
tunnel-rotate-answer = { $target } a donné une réponse qui n'est pas celle d'un cloud Fournil ({ $why })
tunnel-rotate-fingerprint = le cloud montre l'empreinte { $theirs }, ici la nouvelle clé a { $ours } : rien ne change

## Le tunnel : où est le cloud, qui est cru, pourquoi une session finit.

tunnel-resolve = le nom { $host } est introuvable ({ $why }) : vérifiez l'adresse et le DNS de la boutique
tunnel-tcp = { $target } ne répond pas ({ $why }) : vérifiez que le cloud marche et que rien ne ferme le port { $port } en sortie
tunnel-not-tls = { $target } répond, mais pas en TLS ({ $why }) : vérifiez le port, ou un portail captif
tunnel-upgrade = { $target } répond, mais n'ouvre pas le tunnel ({ $why }) : vérifiez que c'est bien un cloud Fournil, à jour, sans mandataire qui coupe les WebSocket
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
tunnel-certificate-public = le certificat de { $host } n'est signé par aucune autorité publique : si ce cloud a la sienne, donnez-la (enrol --ca FICHIER, ou ca_file dans [cloud])
tunnel-certificate-other = le certificat de { $host } n'est pas signé par l'autorité { $path } : ce n'est peut-être pas votre cloud ; vérifiez l'adresse, puis l'autorité
tunnel-certificate-name = le certificat présenté n'est pas au nom de { $host } : vérifiez l'adresse, ou faites refaire le certificat du cloud à ce nom
tunnel-certificate-expired = le certificat de { $host } est périmé, ou l'heure de cette machine est fausse : vérifiez d'abord la date d'ici
tunnel-certificate-early = le certificat de { $host } n'est pas encore valable : l'heure de cette machine est sans doute fausse, remettez-la à l'heure
tunnel-certificate-refused = le certificat de { $host } est refusé ({ $why }) : voyez le cloud

tunnel-end-stopped = la passerelle s'arrête
tunnel-end-goodbye = le cloud a fermé la session ({ $code }, { $reason })
tunnel-end-revoked = le cloud a fermé la session ({ $code }, { $reason }) : cette passerelle a été révoquée. Pour la remettre en service, demandez un code dans la page Passerelles et lancez « fournil-gateway enrol --force »
tunnel-end-unknown-key = le cloud a fermé la session ({ $code }, { $reason }) : le cloud ne reconnaît pas la clé de cette passerelle. Enrôlez-la de nouveau avec un code de la page Passerelles (« fournil-gateway enrol --force »)
tunnel-end-clone = le cloud a fermé la session ({ $code }, { $reason }) : une autre machine utilise la même identité. Enrôlez l'une des deux de nouveau
tunnel-end-version = le cloud a fermé la session ({ $code }, { $reason }) : versions incompatibles. Mettez à jour fournil-gateway sur cette machine
tunnel-end-suspended = le cloud a fermé la session ({ $code }, { $reason }) : le compte est suspendu. Adressez-vous à votre fournisseur
tunnel-end-refused = session refusée ({ $code }) : { $reason }
tunnel-end-silent = le cloud ne dit plus rien
tunnel-end-cut = la connexion est coupée ({ $why })
tunnel-end-journal = le journal ne répond plus ({ $why })
tunnel-cut-wordless = fermée sans un mot
tunnel-cut-by-cloud = fermée par le cloud
tunnel-cut-closed = fermée
tunnel-journal-stopped = arrêté
tunnel-journal-gap = l'événement { $seq } manque
tunnel-journal-full = journal plein : des commandes du cloud attendent. Libérez de la place sur le disque (df -h), ou vérifiez l'imprimante qui retient les précédentes (fournil-gateway status)

## « fournil-gateway doctor » : une ligne par chose regardée. Le texte dit ce qui a été
## trouvé, `.remedy` ce qu'il faut faire.

doctor-mark-ok = ok
doctor-mark-warning = attention
doctor-mark-fault = PANNE
doctor-mark-skipped = non vérifié

doctor-faults = { $faults ->
    [one] une panne à réparer, voir ci-dessus ; commencez par la première
   *[other] { $faults } pannes à réparer, voir ci-dessus ; commencez par la première
}

doctor-label-configuration = configuration
doctor-label-permissions = droits
doctor-label-disk = disque
doctor-label-service = service
doctor-label-journal = journal
doctor-label-identity = identité
doctor-label-name = DNS
doctor-label-network = réseau
doctor-label-tls = TLS
doctor-label-time = heure
doctor-label-protocol = protocole
doctor-label-cloud = cloud
doctor-label-clock = pointeuse
doctor-label-printer = imprimante
doctor-label-devices = appareils

doctor-of-device = { $device } : { $text }
doctor-not-checked = parce que { $because }
doctor-because-configuration = la configuration a une faute
doctor-because-permissions = les droits ne le permettent pas
doctor-because-identity = la passerelle n'a pas d'identité utilisable
doctor-because-name = l'adresse du cloud n'a pas été trouvée
doctor-because-network = le cloud n'a pas pu être joint
doctor-because-tls = la connexion n'a pas pu être protégée
doctor-because-protocol = le tunnel ne s'est pas ouvert

doctor-configuration-read = { $file }, sans faute
doctor-configuration-absent = { $file } n'existe pas : tout est aux valeurs d'usine, sans pointeuse ni imprimante
    .remedy = copiez deploy/gateway.example.toml à cet endroit et décrivez-y les appareils, ou donnez le fichier avec --config
doctor-configuration-faulty = { $fault }
    .remedy = corrigez le fichier, puis relancez « fournil-gateway doctor »

doctor-permissions-private = { $path } n'est ouvert qu'au service (compte { $account })
doctor-permissions-state-missing = le dossier { $path } n'existe pas encore
    .remedy = rien à faire si la passerelle est neuve : l'enrôlement le crée ; sinon vérifiez state_dir
doctor-permissions-state-unreadable = le dossier { $path } ne peut pas être lu ({ $why })
    .remedy = vérifiez state_dir et le disque
doctor-permissions-state-not-a-folder = { $path } n'est pas un dossier
    .remedy = corrigez state_dir dans la configuration
doctor-permissions-state-foreign = le dossier { $path } n'est ouvert qu'au compte { $owner }
    .remedy = relancez avec sudo : « sudo fournil-gateway doctor »
doctor-permissions-state-open-to-others = d'autres comptes peuvent écrire dans { $path } (droits { $mode })
    .remedy = lancez « sudo chmod 700 { $path } »
doctor-permissions-key-open-to-others = { $path } est ouvert à d'autres comptes (droits { $mode }) : la passerelle refuse de démarrer
    .remedy = lancez « sudo chmod { $wanted } { $path } » ; si quelqu'un a pu lire la clé, enrôlez de nouveau
doctor-permissions-key-foreign = { $path } appartient au compte n° { $owner }, pas à celui qui lance (n° { $me })
    .remedy = relancez avec sudo, ou rendez le dossier au service : « sudo chown -R fournil: /var/lib/fournil/gateway »
doctor-permissions-device-forbidden = le service (compte { $account }) n'a pas le droit d'utiliser { $path }, réservé au groupe { $group }
    .remedy = lancez « sudo usermod -aG { $group } { $account } », puis « sudo systemctl restart fournil-gateway »
doctor-permissions-device-missing = { $path } n'existe pas : l'adaptateur série n'est pas vu par la machine
    .remedy = rebranchez l'adaptateur, puis « ls -l /dev/serial/by-id » montre le bon chemin à écrire dans to = "serial:…"
doctor-permissions-device-unreadable = { $path } ne peut pas être regardé ({ $why })
    .remedy = vérifiez le chemin écrit dans to = "serial:…"
doctor-permissions-socket-forbidden = le service tourne sous un autre compte et ne répond pas à celui-ci
    .remedy = relancez avec sudo : « sudo fournil-gateway doctor »

doctor-disk-roomy = { $free } Mio libres, écriture sûre en { $sync_ms } ms
doctor-disk-nearly-full = il ne reste que { $free } Mio dans { $folder }
    .remedy = libérez de la place (« df -h », « sudo journalctl --vacuum-size=100M ») : prévoyez { $wanted } Mio
doctor-disk-full = le disque est plein : { $free } Mio libres dans { $folder } ; sans place rien n'est imprimé ni pointé
    .remedy = libérez de la place tout de suite (« df -h », « sudo journalctl --vacuum-size=100M ») ; tout repart seul
doctor-disk-few-files-left = le disque n'accepte plus que { $files } fichiers nouveaux
    .remedy = « df -i » montre où sont les petits fichiers : supprimez-en
doctor-disk-no-files-left = le disque n'accepte plus aucun fichier nouveau (inodes épuisés) dans { $folder }
    .remedy = « df -i » montre où sont les petits fichiers : supprimez-en, tout repart seul
doctor-disk-read-only = le disque de { $folder } est en lecture seule : rien ne peut être noté
    .remedy = souvent une carte SD ou un disque en fin de vie : « dmesg | tail » le dit ; sauvegardez, remplacez-le, redémarrez
doctor-disk-not-writable = { $folder } ne peut pas être écrit par ce compte ({ $why })
    .remedy = relancez avec sudo ; si la panne reste : « sudo chown -R fournil: { $folder } »
doctor-disk-broken = l'écriture dans { $folder } échoue ({ $why })
    .remedy = le disque est sans doute abîmé : « dmesg | tail » le dit ; sauvegardez et remplacez-le
doctor-disk-silent = le disque de { $folder } ne répond pas
    .remedy = le disque est sans doute abîmé : « dmesg | tail » le dit ; redémarrez, puis remplacez-le
doctor-disk-slow = le disque met { $sync_ms } ms à noter une chose pour de bon
    .remedy = chaque ticket attend ce temps deux fois : préférez un SSD à une carte SD ou une clé USB

doctor-service-running = en marche depuis { $minutes } min (version { $software }), tunnel ouvert
doctor-service-running-offline = en marche depuis { $minutes } min (version { $software }), tunnel fermé : { $fault }
    .remedy = les lignes suivantes disent où cela coince ; en attendant, rien n'est perdu
doctor-service-stopped = le service ne tourne pas
    .remedy = lancez « sudo systemctl start fournil-gateway » ; s'il s'arrête, « sudo journalctl -u fournil-gateway -n 20 » dit pourquoi
doctor-service-silent = le service tourne mais ne répond pas ({ $why })
    .remedy = lancez « sudo systemctl restart fournil-gateway »

doctor-journal-whole = lisible ; { $waiting ->
    [0] rien à envoyer
    [one] un événement à envoyer
   *[other] { $waiting } événements à envoyer
}
doctor-journal-new = pas encore commencé, le service le crée
doctor-journal-set-aside = { $segments ->
    [one] un morceau abîmé a été mis
   *[other] { $segments } morceaux abîmés ont été mis
} de côté ; le reste est sain et le cloud est prévenu
    .remedy = une coupure de courant ou un disque fatigué : « dmesg | tail » le dit ; pensez à un onduleur
doctor-journal-nearly-full = { $waiting } événements attendent le cloud ({ $used } Kio sur { $room })
    .remedy = rétablissez la liaison avec le cloud (lignes suivantes) avant qu'il ne soit plein
doctor-journal-full = plein : { $waiting } événements attendent le cloud ({ $used } Kio sur { $room }) ; les pointages restent dans la pointeuse
    .remedy = rétablissez la liaison avec le cloud (lignes suivantes) : tout part et se vide tout seul
doctor-journal-reserve-used = la réserve pour disque plein a été entamée
    .remedy = libérez de la place (« df -h ») : elle se refait toute seule
doctor-journal-of-another = { $folder } appartient à une autre passerelle
    .remedy = rien à faire : au démarrage il est mis de côté, sans être effacé
doctor-journal-damaged = une partie est abîmée ({ $damage })
    .remedy = lancez « sudo systemctl restart fournil-gateway » : ce qui se lit est gardé, le reste mis de côté ; et vérifiez le disque (« dmesg | tail »)
doctor-journal-not-answering = le journal du service ne répond pas ({ $why })
    .remedy = libérez de la place (« df -h »), vérifiez le disque (« dmesg | tail ») ; il reprend de lui-même
doctor-journal-unreadable = le journal ne peut pas être lu ({ $why })
    .remedy = vérifiez les droits et le disque (« dmesg | tail »)
doctor-journal-silent = la lecture du journal n'en finit pas
    .remedy = le disque est sans doute abîmé : « dmesg | tail » le dit

doctor-identity-whole = « { $name } », { $company }, enrôlée sur { $url } (empreinte { $fingerprint })
doctor-identity-other-address = enrôlée sur { $url }, mais la configuration dit { $configured }
    .remedy = si le cloud n'a pas changé d'adresse, retirez url de [cloud]
doctor-identity-key-not-seen = { $path } n'est pas là : si la clé est un « credential » de systemd, seul le service la voit, et ce qui suit ne peut pas être vérifié d'ici
    .remedy = voyez « fournil-gateway status » ; s'il n'y a pas de credential, demandez un code à la page Passerelles, puis « sudo -u fournil fournil-gateway enrol --force --url https://… --code … »
doctor-identity-missing = cette passerelle n'est pas enrôlée : le cloud ne la connaît pas encore
    .remedy = demandez un code à la page Passerelles de l'ERP, puis « sudo -u fournil fournil-gateway enrol --url https://… --code … »
doctor-identity-damaged = { $path } est abîmé ({ $why })
    .remedy = demandez un code à la page Passerelles, puis « sudo -u fournil fournil-gateway enrol --force --url https://… --code … »
doctor-identity-unreadable = l'identité ne peut pas être lue ({ $why })
    .remedy = relancez avec sudo ; sinon vérifiez le disque

doctor-name-found = { $host } est à l'adresse { $addresses }
doctor-name-is-address = { $host }, rien à chercher
doctor-name-not-found = le nom { $host } n'existe pas
    .remedy = vérifiez l'adresse écrite à l'enrôlement (« identité » ci-dessus) ; si elle est bonne, le domaine a expiré ou le DNS de la boutique ment
doctor-name-resolver-failing = le service de noms (DNS) de la boutique ne trouve rien pour { $host } ({ $why })
    .remedy = redémarrez la box ; vérifiez qu'un autre appareil a Internet ; au besoin mettez 1.1.1.1 comme DNS
doctor-name-resolver-silent = le service de noms (DNS) de la boutique ne répond pas
    .remedy = vérifiez le câble réseau, redémarrez la box ; au besoin mettez 1.1.1.1 comme DNS
doctor-name-no-address = le nom { $host } existe mais ne mène à aucune adresse
    .remedy = celui qui tient le cloud doit compléter le DNS de { $host } (A ou AAAA)

doctor-network-reached = { $address } répond
doctor-network-refused = { $address } refuse la connexion
    .remedy = le serveur est là, mais rien n'écoute sur le port { $port } : le cloud est arrêté, ou un pare-feu refuse ; vérifiez aussi le port écrit dans l'adresse
doctor-network-silent = { $address } ne répond pas en { $seconds } s
    .remedy = vérifiez que la boutique a Internet ; si oui, un pare-feu avale le port { $port } en sortie (box, antivirus, hôtel), ou le cloud est éteint
doctor-network-unreachable = aucun chemin vers { $address } : cette machine n'est pas reliée à Internet
    .remedy = vérifiez le câble ou le Wi-Fi, puis la box (« ip route » doit montrer une ligne « default »)
doctor-network-failed = la connexion à { $address } échoue ({ $why })
    .remedy = un pare-feu de cette machine l'interdit peut-être : ouvrez le port { $port } en sortie

doctor-tls-verified = certificat au nom de { $host }, vérifié (signé par { $issuer })
doctor-tls-unknown-authority = le certificat de { $host } est signé par « { $issuer } », que personne ici ne connaît
    .remedy = si le cloud a sa propre autorité, donnez son fichier (ca_file dans [cloud]) ; sinon un antivirus ou un proxy se met au milieu : faites exclure { $host } de son inspection
doctor-tls-other-authority = le certificat de { $host } est signé par « { $issuer } » et pas par l'autorité du cloud ({ $authority })
    .remedy = quelqu'un se met au milieu (proxy, antivirus), ou le cloud a changé d'autorité : demandez à celui qui le tient, et enrôlez de nouveau s'il le confirme
doctor-tls-intercepted = quelqu'un d'autre répond à la place de { $host } : « { $subject } », signé par « { $issuer } »
    .remedy = souvent un portail d'hôtel ou de box qui attend une connexion, ou un proxy : ouvrez un navigateur, connectez-vous, ou changez de réseau
doctor-tls-wrong-name = le serveur répond sous un autre nom que { $host } (« { $subject } »)
    .remedy = vérifiez l'adresse ; si elle est bonne, celui qui tient le cloud doit refaire le certificat au nom de { $host }
doctor-tls-expired = le certificat de { $host } est périmé depuis le { $limit } (l'heure d'ici est juste)
    .remedy = celui qui tient le cloud doit le renouveler ; en attendant rien n'est perdu
doctor-tls-expired-or-clock-wrong = le certificat de { $host } vaut jusqu'au { $limit } ; ici il est { $here }
    .remedy = regardez d'abord si cette date est la bonne (« timedatectl ») ; si oui, celui qui tient le cloud doit renouveler le certificat
doctor-tls-not-yet-valid = le certificat de { $host } ne vaut qu'à partir du { $limit } (l'heure d'ici est juste)
    .remedy = l'heure du cloud était fausse quand le certificat a été fait : celui qui le tient doit le refaire
doctor-tls-not-yet-valid-or-clock-wrong = le certificat de { $host } ne vaut qu'à partir du { $limit } ; ici il est { $here }
    .remedy = l'heure d'ici retarde sans doute : « sudo timedatectl set-ntp true », et changez la pile de la machine si cela revient
doctor-tls-clock-wrong = l'heure de cette machine est fausse ({ $here }, le cloud dit { $there }) : à cause d'elle le certificat de { $host } est refusé
    .remedy = « sudo timedatectl set-ntp true » ; si cela revient après chaque coupure, changez la pile de la machine
doctor-tls-certificate-refused = le certificat de { $host } est refusé ({ $why })
    .remedy = montrez cette ligne à celui qui tient le cloud
doctor-tls-plain-http = { $host }:{ $port } parle HTTP sans protection (il renvoie vers { $sends_to })
    .remedy = un portail d'hôtel ou de box attend une connexion : ouvrez un navigateur et connectez-vous ; sinon vérifiez le port dans l'adresse
doctor-tls-not-tls = ce qui répond à { $host }:{ $port } ne parle pas TLS ({ $why })
    .remedy = vérifiez le port dans l'adresse du cloud
doctor-tls-cut = la connexion est coupée au milieu de la poignée de main TLS ({ $why })
    .remedy = un pare-feu ou un antivirus coupe : faites laisser passer { $host }
doctor-tls-silent = { $host } prend la connexion puis ne dit plus rien
    .remedy = un pare-feu retient la connexion, ou le serveur est surchargé : réessayez, puis faites laisser passer { $host }
doctor-tls-authority-unusable = { $why }
    .remedy = corrigez ca_file dans [cloud]
doctor-tls-client-certificate-unusable = { $why }
    .remedy = client_cert et client_key sont les deux fichiers qu'a faits « fournil-cloud gateway-ca issue » pour cette passerelle

doctor-time-right = juste, à { $milliseconds } ms du cloud
doctor-time-off = { $direction ->
    [fast] avance de { $seconds } s sur le cloud
   *[slow] retarde de { $seconds } s sur le cloud
}
    .remedy = « sudo timedatectl set-ntp true » remet l'heure par Internet
doctor-time-wrong = { $direction ->
    [fast] FAUSSE : avance de { $seconds } s sur le cloud
   *[slow] FAUSSE : retarde de { $seconds } s sur le cloud
}
    .remedy = « sudo timedatectl set-ntp true » remet l'heure par Internet ; si cela revient après chaque coupure, changez la pile de la machine

doctor-protocol-common = version { $version } (le cloud parle { $min } à { $max })
doctor-protocol-cloud-newer = le cloud ne parle plus que les versions { $min } à { $max }, cette passerelle s'arrête à { $ours }
    .remedy = mettez la passerelle à jour : installez la version qui va avec ce cloud
doctor-protocol-cloud-older = le cloud ne parle que les versions { $min } à { $max }, cette passerelle est plus récente ({ $ours })
    .remedy = celui qui tient le cloud doit le mettre à jour ; en attendant rien n'est perdu
doctor-protocol-not-a-cloud = ce qui répond n'est pas un cloud Fournil ({ $why })
    .remedy = vérifiez l'adresse ; si elle est bonne, un proxy coupe les WebSocket ou le cloud est trop ancien
doctor-protocol-client-certificate-refused = le cloud demande un certificat client et n'accepte pas celui de cette passerelle, ou n'en reçoit pas ({ $why })
    .remedy = demandez-en un à qui tient le cloud (« fournil-cloud gateway-ca issue ») et nommez-le dans [cloud] client_cert et client_key
doctor-protocol-cloud-down = le serveur répond, mais le cloud derrière lui est arrêté ({ $why })
    .remedy = celui qui tient le cloud doit le relancer ; en attendant rien n'est perdu
doctor-protocol-proxy = un proxy interdit la connexion ({ $why })
    .remedy = faites autoriser les WebSocket vers ce serveur
doctor-protocol-silent = le serveur est joint, mais n'ouvre pas le tunnel
    .remedy = un proxy retient les WebSocket, ou le cloud est surchargé : réessayez, puis prévenez celui qui tient le cloud
doctor-protocol-refused = le cloud ne prend personne en ce moment ({ $code }, { $reason })
    .remedy = attendez quelques minutes, la passerelle réessaie seule ; si cela dure, prévenez celui qui tient le cloud

doctor-cloud-known = le cloud connaît cette passerelle
doctor-cloud-cannot-tell = le cloud ne sait pas dire s'il connaît cette passerelle
    .remedy = il est plus ancien qu'elle : mettez-le à jour ; si le tunnel s'ouvre, tout va bien
doctor-cloud-busy = le cloud ne répond pas à la question en ce moment ({ $reason })
    .remedy = réessayez dans une minute
doctor-cloud-silent = le cloud ne répond pas à la question
    .remedy = réessayez dans une minute ; si cela dure, prévenez celui qui tient le cloud
doctor-cloud-unknown = le cloud ne reconnaît pas la clé de cette passerelle (« { $name } », empreinte { $fingerprint })
    .remedy = demandez un code à la page Passerelles, puis « sudo -u fournil fournil-gateway enrol --force --url … --code … »
doctor-cloud-revoked = cette passerelle (« { $name } ») a été révoquée dans l'ERP
    .remedy = si c'est une erreur, demandez un code à la page Passerelles, puis « sudo -u fournil fournil-gateway enrol --force --url … --code … »
doctor-cloud-other-name = le cloud s'appelle { $expected }, cette passerelle l'appelle { $host } : sa signature ne compte pas
    .remedy = enrôlez avec le vrai nom : « sudo -u fournil fournil-gateway enrol --force --url https://{ $expected } --code … »
doctor-cloud-suspended = le compte de la société est fermé
    .remedy = voyez avec celui qui tient le cloud

doctor-clock-ok = { $address }, n° { $serial }, { $records } pointages sur { $capacity }, à { $drift_s } s près
doctor-clock-starting = le service vient de démarrer, rien n'est encore connu de { $address }
    .remedy = relancez « fournil-gateway doctor » dans une minute
doctor-clock-log-nearly-full = la mémoire est presque pleine : { $records } pointages sur { $capacity }
    .remedy = quand tous les pointages sont dans l'ERP, videz-la au menu de la pointeuse ; elle n'est jamais vidée d'ici
doctor-clock-log-full = la mémoire est pleine ou presque : { $records } pointages sur { $capacity }, les prochains peuvent être perdus
    .remedy = quand tous les pointages sont dans l'ERP, videz-la au menu de la pointeuse, aujourd'hui
doctor-clock-clock-time-lost = elle montre un autre jour que celui-ci (à { $drift_s } s près)
    .remedy = « fournil-gateway clock set-time --addr { $address } » la met à l'heure ; si cela revient après une coupure, changez sa pile
doctor-clock-clock-drift = { $direction ->
    [fast] elle avance de { $drift_s } s
   *[slow] elle retarde de { $drift_s } s
}
    .remedy = « fournil-gateway clock set-time --addr { $address } » la met à l'heure ; si l'écart est d'heures entières, vérifiez zone
doctor-clock-layout-ambiguous = sa mémoire se lit de plusieurs façons
    .remedy = faites pointer deux personnes, puis « fournil-gateway clock dump --addr { $address } » ; écrivez layout dans son [[clock]]
doctor-clock-busy = { $address } prend la connexion mais ne répond pas
    .remedy = un autre logiciel la lit sans doute : arrêtez-le ; sinon éteignez et rallumez la pointeuse
doctor-clock-unreachable = personne ne répond à { $address }
    .remedy = vérifiez son courant, son câble, et que l'adresse est celle de son menu (Comm > Ethernet)
doctor-clock-comm-key-refused = { $address } refuse la clé de communication
    .remedy = reprenez le nombre de son menu (Comm > Connexion PC) dans comm_key
doctor-clock-serial-mismatch = { $address } est une autre pointeuse : n° { $serial }, et { $expected } est attendu
    .remedy = si elle a été remplacée, écrivez { $serial } dans expected_serial ; sinon vérifiez l'adresse
doctor-clock-not-a-clock = ce qui répond à { $address } n'est pas une pointeuse
    .remedy = vérifiez l'adresse et le port (4370 d'habitude)
doctor-clock-odd = { $address } répond de travers ({ $why })
    .remedy = éteignez et rallumez la pointeuse ; si cela revient, montrez cette ligne à celui qui l'a posée
doctor-clock-silent = { $address } prend la connexion puis ne dit plus rien
    .remedy = éteignez et rallumez la pointeuse ; arrêtez tout autre logiciel qui la lit
doctor-clock-push-calls = n° { $serial }, appelle { $address }
doctor-clock-push-starting = n° { $serial } n'a pas encore appelé { $address }
    .remedy = relancez « fournil-gateway doctor » dans une minute ; sinon vérifiez l'adresse du serveur dans son menu (Comm > Cloud)
doctor-clock-push-idle = personne n'écoute { $address } : le service ne tourne pas
    .remedy = « sudo systemctl start fournil-gateway » ; la pointeuse garde ses pointages jusque-là
doctor-clock-push-silent = n° { $serial } n'appelle plus { $address }
    .remedy = vérifiez son courant, son réseau, et l'adresse du serveur dans son menu (Comm > Cloud)
doctor-clock-push-key-refused = n° { $serial } appelle avec une autre clé
    .remedy = mettez la même clé dans son menu et dans key de son [[push.clock]]
doctor-clock-push-not-listening = { $address } ne peut pas être écouté ({ $detail })
    .remedy = écrivez dans listen une adresse de cette machine (« ip a ») et un port libre (« ss -ltnp »)

doctor-printer-ok = { $address }, prête, papier en place
doctor-printer-starting = le service vient de démarrer, rien n'est encore connu de { $address }
    .remedy = relancez « fournil-gateway doctor » dans une minute
doctor-printer-paper-low = prête ; le rouleau touche à sa fin
    .remedy = préparez un rouleau neuf
doctor-printer-mute = { $address } prend la connexion mais ne répond à aucune question
    .remedy = si elle n'a pas de voie de retour, écrivez profile = "mute-80" ; sinon éteignez et rallumez-la
doctor-printer-busy = { $address } sert un autre programme
    .remedy = arrêtez l'autre programme qui imprime dessus
doctor-printer-unreachable = personne ne répond à { $address }
    .remedy = vérifiez qu'elle est allumée, son câble et son adresse (son ticket d'essai la donne)
doctor-printer-paper-out = plus de papier
    .remedy = mettez un rouleau neuf ; ce qui attend s'imprime tout seul
doctor-printer-cover-open = le capot est ouvert
    .remedy = fermez le capot ; ce qui attend s'imprime tout seul
doctor-printer-offline = elle répond mais n'imprime pas
    .remedy = appuyez sur le bouton d'avance du papier, ou éteignez et rallumez-la
doctor-printer-cutter-error = le massicot est bloqué
    .remedy = éteignez-la, dégagez le papier du massicot, rallumez-la
doctor-printer-printer-error = elle signale une panne
    .remedy = éteignez et rallumez-la ; si cela revient, faites-la réparer
doctor-printer-journal-full = rien n'est imprimé, le journal ne peut plus rien noter
    .remedy = libérez de la place (« df -h ») : tout repart seul
doctor-printer-journal-broken = rien n'est imprimé, le journal ne peut plus écrire
    .remedy = vérifiez le disque (« dmesg | tail »)
doctor-printer-odd = état inconnu ({ $why })
    .remedy = mettez la passerelle à jour, ou éteignez et rallumez l'imprimante
doctor-printer-silent = { $address } prend la connexion puis ne dit plus rien
    .remedy = éteignez et rallumez l'imprimante

doctor-devices-none = ni pointeuse ni imprimante dans { $file }
    .remedy = ajoutez [[clock]] et [[printer]], puis « sudo systemctl restart fournil-gateway »

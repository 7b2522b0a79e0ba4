## Ce que les commandes disent : enrol, status, journal, clock, printer, run.

cli-cannot-start = le programme ne démarre pas
cli-faults-line = fournil-gateway : { $fault }

enrol-not-a-code = un code a 8 lettres ou chiffres, comme ABCD-EFGH : recopiez celui de la page Passerelles
enrol-done = Passerelle « { $name } » enrôlée pour { $company } sur { $url }.
enrol-fingerprint = Empreinte : { $fingerprint }
enrol-compare = Comparez ces quatre mots avec ceux de la page Passerelles ; s'ils diffèrent, révoquez-la.
enrol-service-takes-it = Le service en marche prend cette identité dans les secondes qui suivent : vérifiez avec « fournil-gateway status ».
enrol-start-service = Lancez maintenant le service : « systemctl start fournil-gateway ».

identity-shown = Passerelle « { $name } » ({ $company }) sur { $url }
identity-new-key = Nouvelle clé : { $fingerprint }
identity-compare = Comparez ces quatre mots avec ceux de la page Passerelles. L'ancienne clé reste valable un jour après la première connexion de la nouvelle.
identity-service-takes-it = Le service en marche prend cette clé dans les secondes qui suivent.

status-not-running = aucune passerelle ne tourne sur { $folder } : lancez « systemctl start fournil-gateway »
status-forbidden = { $folder } n'est pas ouvert à cet utilisateur : relancez avec sudo
status-no-answer = la passerelle ne répond pas
status-gateway = passerelle  { $name } ({ $company }), empreinte { $fingerprint }
status-program = programme   version { $software }, en marche depuis { $minutes } min, { $mib } Mio en mémoire
status-journal-error = journal     EN PANNE : { $error } ; { $remedy }
status-journal-remedy = libérez de la place (df -h), vérifiez le disque (dmesg) ; il reprend de lui-même
status-journal = journal     { $waiting } événement(s) à envoyer, { $open } commande(s) en cours, { $kib } Kio
status-tunnel-open = tunnel      ouvert vers { $server } ({ $trip } ms, horloge { $offset } ms)
status-tunnel-read-only = tunnel      ouvert vers { $server } ({ $trip } ms, horloge { $offset } ms), en lecture seule
status-tunnel-opening = tunnel      en cours d'ouverture vers { $server }
status-tunnel-closed = tunnel      fermé : { $fault }
status-cause-unknown = cause inconnue
status-clock = pointeuse
status-printer = imprimante

journal-none = pas de journal dans { $folder } : la passerelle a-t-elle déjà tourné ici ? (--state-dir)
journal-damaged = { $folder } est abîmé ({ $damages }) : redémarrez le service, qui met de côté ce qui l'est et garde ce qui se lit, et vérifiez le disque
journal-interrupted = la lecture du journal a été interrompue
journal-whole = { $records } enregistrements en { $segments } segments, tous entiers
journal-stat =
    démarrages       { $incarnation }
    époque montante  { $up_epoch }
    gardés           { $up_first } à { $up_last }
    reçus du cloud   { $up_acked }
    en attente       { $waiting } événements, { $waiting_bytes } octets
    époque descend.  { $down_epoch }
    descendu         { $down_durable }
    commandes        { $open } en cours, { $remembered } en mémoire
    segments         { $segments } ({ $set_aside } mis de côté), { $bytes } octets
    réserve          { $reserve ->
        [whole] entière
       *[used] entamée
    }
    enregistrements  { $records }
journal-stat-damage = dégât            { $damage }
journal-stat-set-aside = mis de côté      { $damage }

clock-cli-interrupt = Ctrl-C ne peut pas être attendu
clock-cli-target = écrivez HÔTE ou HÔTE:PORT, comme 192.168.1.201:4370
clock-cli-unwritable = la réponse ne peut pas être écrite
clock-cli-stdout = la sortie standard ne prend rien
clock-cli-unknown = inconnu
clock-cli-unknown-event = événement inconnu { $raw }
clock-cli-live = { $time }  { $user }  touche { $state }  reconnu { $verify }
clock-cli-address = adresse
clock-cli-serial = numéro de série
clock-cli-model = modèle
clock-cli-firmware = micrologiciel
clock-cli-time = heure
clock-cli-drift = écart
clock-cli-users = utilisateurs
clock-cli-records = pointages
clock-cli-of = { $count } sur { $capacity }
clock-cli-user = utilisateur { $user } place { $slot } { $name }
clock-cli-punch = { $time } { $user } touche { $state } reconnu { $verify } { $odd }
clock-cli-warning = attention : { $warning }

printer-cli-unreadable = { $path } est illisible
printer-cli-profiles = profils connus : { $known }
printer-cli-mute = { $to } est connectée mais ne répond à aucune question : si elle n'a pas de voie de retour, utilisez le profil mute-80
printer-cli-stdin = l'entrée standard est illisible
printer-cli-not-a-document = { $path } n'est pas un document (JSON)
printer-cli-not-ready = { $to } n'est pas prête ({ $code } : { $remedy }) : rien n'a été envoyé
printer-cli-stalled = { $to } a pris { $sent } octets sur { $bytes } puis plus rien : vérifiez papier, capot et câble
printer-cli-unconfirmed = { $bytes } octets envoyés à { $to }, sans confirmation : regardez si le papier est sorti
printer-cli-confirmed = { $bytes } octets envoyés à { $to } : l'imprimante les a traités
printer-cli-unopened = { $why } : vérifiez que l'imprimante est allumée et que l'adresse est la bonne
printer-cli-unwritable = { $path } ne peut pas être écrit
printer-cli-test-title = Page d'essai
printer-cli-test-columns = { $profile }, { $columns } colonnes
printer-cli-test-item = Pain au levain, 2 pièces
printer-cli-test-total = TOTAL

run-config-refused = configuration refusée : corrigez-la, le service garde la précédente

clocks-title = Pointeuses
clocks-lead = Chaque pointeuse reliée : comment elle va, qui elle connaît, ce qui lui a été fait.
clocks-empty-title = Aucune pointeuse pour l'instant
clocks-empty-text = Ajoutez une section [[clock]] avec l'adresse de la pointeuse à la configuration de la passerelle du magasin : elle paraît ici au premier contact.
clocks-empty-go = Voir les passerelles
clocks-state-ok = En ordre
clocks-state-warn = À voir
clocks-state-bad = En panne
clocks-state-away = Hors de portée
clocks-alarm-gateway = La passerelle de cette pointeuse n'est pas connectée : les pointages attendent là-bas, rien n'est perdu. Vérifiez son courant et Internet au magasin.
clocks-alarm-silent = Rien n'a été entendu de cette pointeuse depuis trop longtemps : vérifiez son courant et son câble.
clocks-alarm-calls-no-more = Cette pointeuse n'appelle plus : vérifiez son courant, son réseau et l'adresse du serveur dans son menu. Ce qu'elle a noté viendra quand elle rappellera.
clocks-ask-there = Elle appelle ce serveur elle-même : ce qu'on lui demande l'attend jusqu'à son prochain appel.
clocks-ask-there-go = Lui demander
clocks-alarm-not-served = Aucune passerelle ne dit la servir en ce moment : vérifiez la configuration de la passerelle.
clocks-alarm-unmatched =
    { $count ->
        [one] Un numéro qui a pointé n'est à personne : rattachez-le ci-dessous ou sur la page Pointages.
       *[other] { $count } numéros qui ont pointé ne sont à personne : rattachez-les ci-dessous ou sur la page Pointages.
    }
clocks-gauge-records = Mémoire des pointages
clocks-gauge-users = Utilisateurs
clocks-gauge-of = { $held } sur { $capacity }
clocks-gauge-open = { $held }
clocks-model = Modèle
clocks-serial = N° de série
clocks-layout = Format et fuseau
clocks-gateway = Passerelle
clocks-link = Liaison
clocks-link-tcp = lue par la passerelle
clocks-link-udp = lue par la passerelle (UDP)
clocks-link-push = appelle elle-même
clocks-link-unknown = inconnue
clocks-drift = Écart d'heure
clocks-drift-none = à l'heure
clocks-drift-fast = avance de { $span }
clocks-drift-slow = retarde de { $span }
clocks-span-s = { $count } s
clocks-span-min = { $count } min
clocks-span-h = { $count } h
clocks-span-d =
    { $count ->
        [one] un jour
       *[other] { $count } jours
    }
clocks-last-punch = Dernier pointage
clocks-heard = Dernier contact
clocks-whole-read = Dernière lecture entière
clocks-whole-read-count =
    { $count ->
        [one] { $count } pointage
       *[other] { $count } pointages
    }
clocks-read = Lire maintenant
clocks-heard-only = Elle appelle la passerelle d'elle-même et se met à l'heure à chaque appel. Les noms et la mémoire se changent à son clavier.
clocks-reread = Redemander ces jours
clocks-reread-from = Du
clocks-reread-to = Au
act-clocks-reread = Redemande des jours à une pointeuse
clocks-fault-range = Donnez les deux jours.
clocks-fault-backwards = Le dernier jour vient avant le premier.
clocks-fault-too-long = Trois mois au plus à la fois : demandez en plusieurs fois.
clocks-read-users = Relire les utilisateurs
clocks-set-time = Mettre à l'heure
clocks-set-time-confirm = Cette pointeuse : { $drift }. La mettre à l'heure juste ? Les pointages déjà faits ne changent pas.
clocks-punches = Ses pointages
clocks-commands = Demandes
clocks-commands-empty = Rien ne lui a encore été demandé.
clocks-users = Utilisateurs de la pointeuse et employés
clocks-users-read = lus
clocks-users-lead = Ce qui diffère est en tête. Écrire met le nom et la carte de l'employé sur la pointeuse ; ses mots de passe et ses empreintes ne sont jamais touchés.
clocks-users-lead-heard = Ce qui diffère est en tête. Les noms et les cartes de cette pointeuse se changent à son clavier.
clocks-users-empty = La table des utilisateurs n'est pas encore connue : relisez-la.
clocks-number = Numéro
clocks-on-clock = Sur la pointeuse
clocks-here = Employé
clocks-difference = Écart
clocks-actions = Actions
clocks-card = carte { $card }
clocks-admin = administrateur
clocks-garbled = nom illisible
clocks-user-unknown = À personne
clocks-user-missing = Absent de la pointeuse
clocks-user-name = Nom différent
clocks-user-card = Carte différente
clocks-user-twice = Deux fois sur la pointeuse
clocks-user-same = Pareil
clocks-write = Écrire les lignes cochées sur la pointeuse
clocks-write-this = Écrire
clocks-write-confirm = Écrire les utilisateurs cochés sur la pointeuse ? Elle est relue juste avant ; ce qui y a changé entre-temps n'est pas touché.
clocks-operations = Ce qui lui a été fait
clocks-operations-lead = Le journal de la pointeuse elle-même : il explique les trous et les heures qui sautent.
clocks-operations-empty = Rien n'est encore connu de son journal ; certains modèles n'en ont pas.
clocks-operation = Opération
clocks-operation-by = Par
clocks-operation-power-on = Allumée
clocks-operation-power-off = Éteinte
clocks-operation-refused = Personne refusée
clocks-operation-alarm = Alarme
clocks-operation-menu = Menu ouvert
clocks-operation-option = Réglage changé
clocks-operation-enrolled = Personne enregistrée ou changée
clocks-operation-user-deleted = Utilisateur supprimé
clocks-operation-means-deleted = Empreinte, mot de passe ou carte supprimé
clocks-operation-data-cleared = Données effacées
clocks-operation-time-set = Mise à l'heure
clocks-operation-reset = Retour aux réglages d'usine
clocks-operation-log-cleared = Pointages effacés
clocks-operation-admins-cleared = Administrateurs effacés
clocks-operation-unlocked = Porte ouverte
clocks-operation-usb = Copie sur clé USB
clocks-operation-usb-deleted = Pointages effacés après copie sur clé USB
clocks-operation-network = Réglage du réseau changé
clocks-operation-other = Opération n° { $code }
clocks-clear = Vider la mémoire des pointages
clocks-clear-text = À ne faire que si la mémoire est presque pleine. La pointeuse est relue en entier, chaque pointage doit être confirmé ici, leur nombre doit être celui-ci, et la configuration du magasin doit le permettre (allow_clear). Ce qui est effacé de la pointeuse reste ici pour toujours.
clocks-clear-type = Pour confirmer, écrivez le numéro de série { $serial }
clocks-clear-go =
    { $count ->
        [one] Effacer { $count } pointage de la pointeuse
       *[other] Effacer { $count } pointages de la pointeuse
    }
clocks-clear-not-now = Pas maintenant : il faut que la passerelle soit connectée et que la dernière lecture entière ait tout. Demandez une lecture d'abord.
clocks-fault-confirm = Ce n'est pas le numéro de série de cette pointeuse.
clocks-fault-nothing-to-write = Aucune des lignes cochées n'est encore à écrire : la page a changé, regardez-la à nouveau.
clocks-fault-not-served = Aucune passerelle ne sert cette pointeuse : rien ne peut lui être demandé d'ici.
act-clocks-ask = Demande à une pointeuse
act-clocks-clear = Vidage d'une pointeuse demandé
act-clocks-write-users = Utilisateurs écrits sur une pointeuse
subject-clock = Pointeuse

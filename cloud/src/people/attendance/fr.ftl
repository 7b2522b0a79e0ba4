attendance-title = Pointages
attendance-lead = Ce que les pointeuses ont enregistré, dès que c'est enregistré.
attendance-live-on = En direct
attendance-live-off = Direct interrompu
attendance-at = Heure de la pointeuse
attendance-employee = Employé
attendance-state = Sens
attendance-clock = Pointeuse
attendance-received = Reçu
attendance-day = Jour
attendance-all = Tous
attendance-filter = Filtrer
attendance-filter-none = Tout voir
attendance-older = Plus anciens
attendance-newest = Les plus récents
attendance-empty-title = Aucun pointage
attendance-empty-text = Les pointages s'affichent ici dès qu'une pointeuse reliée en enregistre un.
attendance-nobody = Inconnu : n° { $user }
attendance-repeat = (fois n° { $number } dans la même seconde)
attendance-state-in = Entrée
attendance-state-out = Sortie
attendance-state-break-out = Début de pause
attendance-state-break-in = Fin de pause
attendance-state-overtime-in = Début d'heures supplémentaires
attendance-state-overtime-out = Fin d'heures supplémentaires
attendance-state-none = Sans indication
attendance-state-other = Code { $code }
attendance-source-poll = lu
attendance-source-live = en direct
attendance-source-push = envoyé par la pointeuse
attendance-source-unknown = origine inconnue
attendance-anomaly-impossible-date = Date impossible
attendance-anomaly-future = Dans le futur
attendance-anomaly-skipped-hour = Heure qui n'existe pas
attendance-anomaly-ambiguous-hour = Heure double
attendance-anomaly-odd-state = Sens inhabituel
attendance-anomaly-odd-user-id = Numéro inhabituel
attendance-anomaly-unknown-user = Absent de la pointeuse
attendance-anomaly-odd-form = Enregistrement inhabituel
attendance-anomaly-clock-reset = Pointeuse remise à zéro
attendance-anomaly-other = Anomalie { $code }
attendance-unmatched-title = Numéros sans employé
attendance-unmatched-text = Dites à qui appartient chaque numéro : ses pointages passés et à venir lui seront rattachés.
attendance-unmatched-user = N° { $user }
attendance-unmatched-count =
    { $count ->
        [one] { $count } pointage
       *[other] { $count } pointages
    }
attendance-assign = Rattacher
attendance-choose = Choisir un employé
attendance-employee-of = Employé du n° { $user }
attendance-assigned-title =
    { $count ->
        [one] { $count } numéro rattaché
       *[other] { $count } numéros rattachés
    }
attendance-change = Changer
attendance-fault-filter = Ce filtre n'est pas lisible. Choisissez à nouveau l'employé ou le jour.
attendance-fault-employee = Cet employé n'existe pas. Choisissez-en un dans la liste.
act-attendance-assign = Numéro de pointeuse rattaché

subject-clock-user = Numéro de pointeuse
attendance-source = Origine
attendance-only-odd = Anomalies seulement
attendance-record-title = Un pointage
attendance-record-lead = Tel que la pointeuse l'a donné. Il n'est jamais changé ni effacé : une correction est un fait de plus, à part.
attendance-record-user = Numéro à la pointeuse
attendance-record-instant = Instant
attendance-record-no-instant = aucun : cette date et cette heure n'existent pas
attendance-record-verify = Reconnu par (code du modèle)
attendance-record-occurrence = Rang dans la même seconde
attendance-record-layout = Format lu
attendance-record-raw = Octets de la pointeuse
attendance-record-recorded = Écrit au magasin
attendance-record-anomalies = Anomalies
attendance-record-none = aucune

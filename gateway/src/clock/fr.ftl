## La pointeuse : ce qui ne va pas avec elle ou avec sa section.

clock-unreachable = aucune pointeuse ne répond à { $target } ({ $reason }) : vérifiez son courant et son réseau, et que l'adresse est celle de son menu
clock-busy = la pointeuse { $target } prend la connexion mais ne répond pas ({ $reason }) : la plupart ne servent qu'un programme à la fois ; arrêtez l'autre logiciel qui la lit, ou redémarrez-la
clock-key-refused = la pointeuse { $target } refuse la clé de communication : reprenez le nombre de son menu Comm > Connexion PC (comm_key, --comm-key)
clock-not-a-clock = ce qui écoute à { $target } n'est pas une pointeuse ({ $found }) : vérifiez l'adresse et le port
clock-no-answer = pas de réponse de la pointeuse en { $seconds } s ({ $step }) : vérifiez le réseau et la pointeuse
clock-ended = liaison perdue ({ $step } : { $end }) ; un nouvel essai suit
clock-refused = la pointeuse a refusé ({ $step }, réponse { $answer }) : redémarrez-la si cela dure
clock-lost = des paquets se perdent en chemin ({ $step }) : vérifiez le câble ou le Wi-Fi de la pointeuse
clock-senseless = réponse incompréhensible de la pointeuse ({ $step } : { $what }) : redémarrez-la si cela dure
clock-forbidden = la commande { $command } n'est pas de celles que la passerelle peut envoyer

clock-step-connect = connexion
clock-step-key = clé de communication
clock-step-enable = déblocage du clavier
clock-step-lock = blocage du clavier
clock-step-free-buffer = libération du tampon
clock-step-option = lecture d'une option
clock-step-firmware = lecture de la version
clock-step-time = lecture de l'heure
clock-step-set-time = mise à l'heure
clock-step-sizes = lecture des tailles
clock-step-events = demande des événements
clock-step-users = lecture des utilisateurs
clock-step-log = lecture des pointages
clock-step-exit = départ

clock-link-closed = la pointeuse a fermé la connexion
clock-link-broken = la connexion est coupée : { $why }

clock-not-read = la pointeuse n'est pas lue
clock-serial-mismatch = la pointeuse donne le numéro de série « { $found } », « { $expected } » est attendu : rien n'est lu ; si elle a été remplacée, mettez son numéro dans expected_serial
clock-log-nearly-full = { $records } pointages sur { $capacity } : une fois tous au cloud, videz la mémoire dans le menu de la pointeuse ; elle n'est jamais vidée d'ici
clock-drift = { $direction ->
    [fast] la pointeuse avance de { $seconds } s
   *[slow] la pointeuse retarde de { $seconds } s
} : mettez-la à l'heure avec « fournil-gateway clock set-time » et vérifiez le fuseau configuré
clock-ambiguous = la mémoire de { $bytes } octets ({ $records } pointages d'après la pointeuse) va avec ces formats : { $names } ; rien n'est deviné et la pointeuse garde tout ; fixez « layout » dans sa section après un coup d'œil à « fournil-gateway clock dump »
clock-ambiguous-none = aucun
clock-ambiguous-begins = { $detail } ; elle commence par { $shown }
clock-ambiguous-dump = la mémoire de { $bytes } octets va avec ces formats : [{ $names }] ; relisez-la avec --layout ; octets : { $shown }
clock-live-differs = { $count } pointages annoncés en direct ne sont pas ainsi dans la mémoire de la pointeuse ; ses annonces ne font plus que déclencher une lecture ; comparez ces pointages avec sa mémoire
clock-count-differs = la pointeuse compte { $counted } pointages, sa mémoire en contient { $held }
clock-users-unknown = la table des utilisateurs ({ $bytes } octets) a un format inconnu

clock-config-name = une pointeuse n'a pas de nom : donnez à chaque [[clock]] le sien
clock-config-address = pointeuse « { $name } » : l'adresse « { $address } » n'est pas hôte:port, comme 192.168.1.201:4370
clock-config-poll = pointeuse « { $name } » : poll_interval_s vaut { $seconds } ; de 5 à 86400 sont possibles
clock-config-layout = pointeuse « { $name } » : { $why }
clock-layout-unknown = il n'y a pas de format « { $name } » : écrivez 40 à 64, 16, 8a ou 8b

clock-log-full = { $records } pointages sur { $capacity } : les prochains peuvent être perdus ; une fois tous au cloud, videz la mémoire dans le menu de la pointeuse, ou depuis l'ERP si allow_clear le permet
clock-time-lost = la pointeuse montre une date éloignée d'aujourd'hui de { $days } jours : sa pile est vide ou quelqu'un l'a déréglée ; remettez-la à l'heure, ses pointages de ce temps sont signalés
clock-profile-changed = la pointeuse dit être « { $now } » ; elle était « { $was } »
clock-time-not-told = la pointeuse ne donne pas son heure
clock-true-time-unknown = la passerelle ne connaît pas encore l'heure juste : elle la prend au cloud ; redemandez quand le tunnel est ouvert
clock-time-right = elle est à l'heure ({ $time })
clock-time-refused = la pointeuse refuse d'être mise à l'heure : faites-le dans son menu
clock-time-set = mise à l'heure : elle montrait { $before }, elle montre { $after }
clock-users-unreadable = la table des utilisateurs ne peut pas être lue : rien n'est écrit
clock-users-missing = la pointeuse a tout accepté, mais n'a pas gardé : { $users }
clock-user-written = { $user } : écrit
clock-user-already = { $user } : était déjà ainsi
clock-user-refused = { $user } : refusé par la pointeuse
clock-user-twice = { $user } : ce numéro existe deux fois sur la pointeuse ; supprimez l'un des deux à son clavier
clock-user-differs = { $user } : n'est plus comme il a été montré ; relisez les utilisateurs et recommencez
clock-user-id = { $user } : le numéro n'a que des chiffres ou des lettres sans accent, { $max } au plus
clock-user-name-long = { $user } : le nom dépasse { $max } octets
clock-user-name-letters = { $user } : le nom contient des lettres que la pointeuse n'a pas
clock-user-card = { $user } : le numéro de carte est trop grand
clock-user-full = { $user } : la pointeuse n'a plus de place
clock-clear-not-allowed = vider la mémoire n'est pas permis : mettez allow_clear = true dans la section de la pointeuse si vous le voulez
clock-clear-count = { $wished } pointages devaient s'y trouver, il y en a { $held } : relisez la pointeuse en entier et recommencez
clock-clear-unconfirmed = { $open } faits ne sont pas encore confirmés par le cloud : recommencez dans un moment
clock-clear-refused = la pointeuse refuse de vider sa mémoire : faites-le dans son menu
clock-cleared = { $records } pointages lus, confirmés et effacés de la pointeuse ; il en reste { $left }
clock-config-set-time = pointeuse « { $name } » : set_time_beyond_s vaut { $seconds } ; 0 (jamais) ou de 30 à 86400 sont possibles
clock-moved = la pointeuse n° { $serial } ne répond plus à { $was } et a été retrouvée à { $now } : écrivez cette adresse dans sa section, ou réservez-la dans le routeur
clock-twice = « { $other } » lit déjà la pointeuse n° { $serial } : ôtez l'une des deux sections [[clock]]
clock-config-search = pointeuse « { $name } » : search_subnet demande expected_serial, transport = "tcp", et un réseau privé d'au plus 1024 adresses comme 192.168.1.0/24
clock-step-operations = lecture du journal des opérations
clock-step-write-user = écriture d'un utilisateur
clock-step-clear-log = vidage de la mémoire

## Pointeuses qui appellent d'elles-mêmes.

push-config-empty = [push] ne nomme aucune pointeuse : ajoutez [[push.clock]], ou ôtez la section
push-config-name = une pointeuse qui appelle n'a pas de nom : donnez à chaque [[push.clock]] le sien
push-config-serial = pointeuse « { $name } » : « { $serial } » n'est pas un numéro de série de 6 à 32 lettres et chiffres, tel que son menu le montre
push-config-serial-twice = le numéro de série { $serial } est écrit deux fois dans [push]
push-config-key = pointeuse « { $name } » : key a de 1 à 64 lettres, chiffres ou signes, sans espace
push-config-from = « { $from } » n'est ni une adresse (192.168.1.201) ni un réseau (192.168.1.0/24)
push-not-listening = les pointeuses ne peuvent pas appeler : { $listen } ne peut pas être écouté ({ $why }) ; vérifiez que cette machine a cette adresse et qu'aucun autre programme n'a ce port
push-stranger = une pointeuse n° { $serial } appelle de { $from } et n'est pas dans [push] (ou pas à cette adresse) : si elle est à vous, ajoutez-la ; elle garde ses pointages
push-key-refused = la pointeuse appelle avec une autre clé que celle de son [[push.clock]] : mettez la même des deux côtés
push-silent = la pointeuse n'a pas appelé depuis { $minutes } min : vérifiez son courant, son réseau, et l'adresse du serveur dans son menu
push-only-calls = cette pointeuse appelle d'elle-même : elle peut relire ses pointages et ses utilisateurs, le reste se fait à son clavier, ou par son port avec [[clock]] ; elle se met à l'heure à chaque appel
push-refused = la pointeuse a répondu { $code }
push-no-answer = la pointeuse n'a pas appelé ou pas répondu à temps : recommencez quand elle appelle

home-title = Accueil
home-good-day = Bonjour, { $name }
home-good-evening = Bonsoir, { $name }
home-lead = Choisissez par où commencer.
home-empty = Votre profil n'ouvre encore aucune page
home-empty-text = Demandez à un administrateur de vous donner un profil.

"""The methods that turn a region into a mask: each is one package with one class, see ``base`` and ``registry``."""

"""A build: from folders of files to one folder with hashed names, manifests and copies."""

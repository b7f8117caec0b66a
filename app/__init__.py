"""The front process: accepts, stores and shows jobs. It never touches a host."""

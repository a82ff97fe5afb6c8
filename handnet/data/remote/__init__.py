"""Photos and folders that lie elsewhere: in a bucket, or on a web server."""

"""The API and the web page of galleries: FastAPI, versioned paths, problem+json."""

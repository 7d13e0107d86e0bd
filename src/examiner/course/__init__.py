"""nbgrader's world: the course folder, its gradebook, what comes in and what is handed out."""

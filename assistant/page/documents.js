// Runs once in the document list: a click on a delete button asks, then tells the server which document.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-delete]");
  if (button && window.confirm(`Delete “${button.dataset.name}” from this collection?`)) {
    trigger("delete", { id: button.dataset.delete, name: button.dataset.name });
  }
});
